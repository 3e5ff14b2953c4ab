"""The pictures of docs/: draw.py still draws each, and a page shows each."""

import glob
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree

from support import BINARY, PATIENCE_S, Case

DOCS = os.path.join(os.environ["CLOBBER_TREE"], "docs")
BYTES_MAX = 40000


class Pictures(Case):
    def test_the_script_draws_every_curve_that_is_in_the_folder(self):
        subprocess.run([sys.executable, "-B", os.path.join(DOCS, "pictures", "draw.py"), BINARY, self.folder], check=True,
                       timeout=5 * PATIENCE_S)
        drawn = {os.path.basename(path) for path in glob.glob(self.path("*.svg"))}
        kept = {os.path.basename(path) for path in glob.glob(os.path.join(DOCS, "pictures", "*.svg"))}
        self.assertEqual(kept - drawn, {"loop.svg"})  # a diagram, drawn by hand
        self.assertEqual(drawn - kept, set())
        for name in drawn:
            picture = self.assert_good(self.path(name))
            lines = [shape.get("points").split() for shape in picture.iter("{http://www.w3.org/2000/svg}polyline")]
            self.assertGreater(max(map(len, lines)), 90, f"{name} shows no run")

    def test_every_picture_is_shown_and_well_formed(self):
        pages = "".join(self.read(page) for page in glob.glob(os.path.join(DOCS, "*.md")))
        for path in glob.glob(os.path.join(DOCS, "pictures", "*.svg")):
            self.assert_good(path)
            self.assertIn(f"](pictures/{os.path.basename(path)})", pages)

    def assert_good(self, path):
        self.assertLess(os.path.getsize(path), BYTES_MAX, path)
        picture = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual(picture.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertTrue(picture.find("{http://www.w3.org/2000/svg}title").text)
        return picture


if __name__ == "__main__":
    unittest.main()
