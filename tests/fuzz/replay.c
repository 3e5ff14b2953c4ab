/** Feeds every file of the folders named to a fuzzer's entry point: how builds without libFuzzer
 * replay a corpus. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Each input lies in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static void replay_file(const char *path)
{
    static uint8_t buffer[INPUT_BYTES_MAX];
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        perror(path);
        exit(1);
    }
    size_t count = fread(buffer, 1, sizeof buffer, stream);
    fclose(stream);
    uint8_t *bytes = malloc(count > 0 ? count : 1);
    if (bytes == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++)
        bytes[i] = buffer[i];
    LLVMFuzzerTestOneInput(bytes, count);
    free(bytes);
}

int main(int count, char **folders)
{
    unsigned files = 0;
    for (int i = 1; i < count; i++) {
        DIR *folder = opendir(folders[i]);
        if (folder == NULL) {
            perror(folders[i]);
            return 1;
        }
        for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", folders[i], entry->d_name);
            replay_file(path);
            files++;
        }
        closedir(folder);
    }
    printf("%u inputs\n", files);
    return files > 0 ? 0 : 1;
}
