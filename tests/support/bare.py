"""A Python that lacks what an installation without extras lacks."""

BARE = """
import re, sys
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, requires

needed, waiting = set(), ["torch", "numpy", "scipy", "jaxtyping", "safetensors", "tqdm"]
while waiting:
    name = re.match(r"[\\w.-]+", waiting.pop())[0].lower().replace("_", "-")
    if name not in needed:
        needed.add(name)
        try:
            waiting += [line for line in requires(name) or () if "extra ==" not in line]
        except ModuleNotFoundError:
            pass
allowed = {"srnn_lab", *sys.stdlib_module_names}
for module, packages in packages_distributions().items():
    if any(package.lower().replace("_", "-") in needed for package in packages):
        allowed.add(module)

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in allowed or name.startswith("_"):
            return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
"""
"""What begins a program that finds no other package than those that torch and the five others need.
"""
