"""Loads every export in the tool that it is for:  run_checks.py LATHE [FORMAT...]   (all formats without names; --require: none may be skipped)

For each format the exported file must agree with Lathe's own numbers, and a corrupted copy must be found out. Prints a Markdown table;
a format whose tool is not installed is a line that says so.
"""
import importlib
import pathlib
import shutil
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import case as cases  # noqa: E402

CHECKS = ["json", "csv", "onnx_qdq", "packed", "openvino", "qonnx", "aimet", "torch_pruning", "torchao", "pt2e", "hls4ml", "nni", "nncf"]
FORMAT_OF = {"openvino": "onnx_qdq"}


def faults_of(module, case, path):
    try:
        return module.check(case, path)
    except Exception as error:  # a file that the tool refuses
        traceback.print_exc()
        return [f"{type(error).__name__}: {error}"]


def check(name, case):
    """(tool, compared, result, is_ok)"""
    try:
        module = importlib.import_module(f"checks.{name}_export")
    except ImportError as error:
        return name, "", f"skipped: the tool is not installed ({error})", None
    tool = f"{module.TOOL} {module.VERSION}"
    path = case.export(FORMAT_OF.get(name, name))
    faults = faults_of(module, case, path)
    if faults:
        return tool, module.COMPARED, "differs: " + "; ".join(faults[:3]), False
    broken = case.folder / "corrupted"
    shutil.rmtree(broken, ignore_errors=True)
    broken.mkdir()
    for companion in path.parent.glob(f"{path.stem}.*"):
        shutil.copy(companion, broken)
    module.corrupt(broken / path.name)
    found = faults_of(module, case, broken / path.name)
    if not found:
        return tool, module.COMPARED, "a corrupted file was not found out", False
    return tool, module.COMPARED, f"equal; corrupted copy found out ({found[0].splitlines()[0][:80]})", True


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--require"]
    names = arguments[1:] or CHECKS
    results = []
    with tempfile.TemporaryDirectory() as folder:
        case = cases.make_case(pathlib.Path(arguments[0]).resolve(), folder)
        print(f"Lathe: accuracy {case.accuracy:.4f} on {len(case.labels)} rows; widths {case.widths}\n")
        for name in names:
            results.append((name, *check(name, case)))
    print("| format | tool | compared | result |\n| --- | --- | --- | --- |")
    for name, tool, compared, result, _ in results:
        print(f"| {FORMAT_OF.get(name, name)} | {tool} | {compared} | {result} |")
    passed = sum(is_ok is True for *_, is_ok in results)
    skipped = sum(is_ok is None for *_, is_ok in results)
    failed = len(results) - passed - skipped
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or (skipped and "--require" in sys.argv) else 0


if __name__ == "__main__":
    sys.exit(main())
