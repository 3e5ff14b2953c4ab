"""What deploy/ offers people is whole: the manifests of Kubernetes and the units of systemd, as far as one can tell without
either."""

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

from support import BINARY, PATIENCE_S

DEPLOY = os.path.join(os.environ["CLOBBER_TREE"], "deploy")

try:
    import yaml
except ImportError:
    yaml = None


@unittest.skipIf(yaml is None, "NOT TESTED: deploy/kubernetes, for want of python3-yaml (deploy/install container)")
class Kubernetes(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(DEPLOY, "kubernetes/fleet.yaml"), encoding="utf-8") as file:
            self.objects = {(thing["kind"], thing["metadata"]["name"]): thing for thing in yaml.safe_load_all(file)}

    def pods(self):
        for (kind, name), thing in self.objects.items():
            if kind in ("Job", "StatefulSet"):
                yield name, thing["spec"]["template"]

    def container(self, kind, name):
        return self.objects[kind, name]["spec"]["template"]["spec"]["containers"][0]

    def test_all_that_is_needed_is_there(self):
        self.assertEqual(sorted(self.objects), sorted([
            ("ConfigMap", "clobber-plan"), ("Service", "clobber-coordinator"), ("Job", "clobber-coordinator"),
            ("StatefulSet", "agent"), ("NetworkPolicy", "clobber-agents"), ("NetworkPolicy", "clobber-coordinator")]))

    def test_every_pod_is_guarded_and_bounded(self):
        for name, pod in self.pods():
            with self.subTest(name):
                spec, (container,) = pod["spec"], pod["spec"]["containers"]
                self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                self.assertEqual(spec["securityContext"]["runAsUser"], 65532)
                self.assertFalse(spec["automountServiceAccountToken"])
                self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
                self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
                self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
                self.assertEqual(set(container["resources"]["limits"]), {"cpu", "memory"})
                self.assertIn("readinessProbe" if name.endswith("coordinator") else "startupProbe", container)

    def test_every_mount_is_a_volume_and_every_volume_is_mounted(self):
        for name, pod in self.pods():
            volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
            self.assertEqual(volumes, {mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}, name)

    def test_selectors_find_their_pods(self):
        labels = {name: pod["metadata"]["labels"] for name, pod in self.pods()}
        for (kind, name), thing in self.objects.items():
            selector = {"Service": lambda spec: spec["selector"], "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
                        "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"]}.get(kind)
            if selector:
                wanted = selector(thing["spec"]).items()
                self.assertTrue(any(wanted <= given.items() for given in labels.values()), (kind, name))

    def test_the_plan_and_the_flags_are_ones_that_clobber_takes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "plan.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.objects["ConfigMap", "clobber-plan"]["data"]["plan.yaml"])
            subprocess.run((BINARY, "validate", path), check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
        for kind, name, command in (("Job", "clobber-coordinator", "coordinator"), ("StatefulSet", "agent", "agent")):
            shown = subprocess.run((BINARY, command, "--help"), check=True, capture_output=True, text=True, timeout=PATIENCE_S)
            flags = [word for word in self.container(kind, name)["args"] if word.startswith("--")]
            self.assertGreater(len(flags), 2)
            for flag in flags:
                self.assertIn(f" {flag} ", shown.stdout + " ")


class Systemd(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "NOT TESTED: deploy/systemd, for want of systemd-analyze")
    def test_the_units_are_ones_that_systemd_takes(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in glob.glob(os.path.join(DEPLOY, "systemd/*.service")):
                name = os.path.basename(path).replace("@", "@soak")
                with open(path, encoding="utf-8") as file:
                    text = file.read().replace("/usr/bin/clobber", BINARY)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
                told = subprocess.run(("systemd-analyze", "verify", "--man=no", os.path.join(folder, name)), check=False,
                                      capture_output=True, text=True, timeout=PATIENCE_S)
                ours = [line for line in told.stderr.splitlines() if name in line]
                self.assertEqual(ours, [], told.stderr)


if __name__ == "__main__":
    unittest.main()
