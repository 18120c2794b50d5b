"""Every other command, and every wrong input that a new user makes: one clear line on standard error, exit status 2."""
import json
import pathlib
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import workbench

bench = None


def run_network(path, inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


def half_policy():
    """Half of the channels of every prunable group, 8 bits everywhere."""
    network = json.loads(bench.run("inspect", bench.model, "--json").stdout)
    return {"format": "lathe.policy", "version": 1, "model": network["model"] and {"name": network["model"]["name"], "sha256": network["model"]["sha256"]},
            "groups": [{"name": g["name"], "keep_ratio": 0.5} for g in network["groups"] if g["prunable"]],
            "layers": [{"name": l["name"], "weight_bits": 8, "activation_bits": 8} for l in network["layers"] if l["quantizable"]]}


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.policy = bench.folder / "half.json"
        cls.policy.write_text(json.dumps(half_policy()))

    def json_of(self, *arguments, **options):
        done = bench.run(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_inspect_names_groups_layers_and_totals(self):
        network = self.json_of("inspect", bench.model, "--json")
        self.assertEqual(set(network) >= {"model", "groups", "layers", "macs", "parameters"}, True)
        graph = onnx.load(bench.model).graph
        weights = {t.name: t.dims for t in graph.initializer}
        convolutions = [n for n in graph.node if n.op_type == "Conv"]
        self.assertEqual(sum(layer["op"] == "Conv" for layer in network["layers"]), len(convolutions))
        self.assertEqual(sum(layer["parameters"] for layer in network["layers"] if layer["op"] == "Conv") >=
                         sum(int(np.prod(weights[n.input[1]])) for n in convolutions), True)
        for layer in network["layers"]:
            self.assertTrue(layer["prunable"] or layer["prunable_reason"], layer["name"])
            self.assertTrue(layer["quantizable"] or layer["reason"], layer["name"])
        for group in network["groups"]:
            self.assertEqual(group["prunable"], group["reason"] == "")
        self.assertTrue(all(layer["sparsity"] == 0 for layer in network["layers"]), "trained weights are no zeros")
        text = bench.run("inspect", bench.model).stdout
        self.assertIn("Coupling groups", text)
        self.assertNotIn("zeros", text)

    def test_blocks_and_ranks_of_a_policy_are_delivered(self):
        network = self.json_of("inspect", bench.model, "--json")
        block = network["blocks"][0]
        self.assertIn(block["name"], bench.run("inspect", bench.model).stdout)
        policy = bench.folder / "thin.json"
        policy.write_text(json.dumps({
            "format": "lathe.policy", "version": 1, "blocks": [{"name": block["name"], "keep": False}],
            "layers": [{"name": layer["name"], "weight_bits": 8, "activation_bits": 8, "rank_ratio": 0.5 if layer["kernel"] == 3 else 1}
                       for layer in network["layers"] if layer["name"] not in block["layers"]]}))
        whole = self.json_of("latency", bench.model, "--device", "raspberry-pi-4", "--json")
        thin = self.json_of("latency", bench.model, "--device", "raspberry-pi-4", "--policy", policy, "--json")
        names = {layer["name"] for layer in thin["layers"]}
        self.assertFalse(names & set(block["layers"]))
        self.assertTrue(any(name.endswith("/low_rank") for name in names))
        self.assertLess(thin["weight_bytes"], whole["weight_bytes"] / 4)
        out = bench.folder / "thin"
        done = bench.run("compress", bench.config, "--policy", policy, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        model = next(out.glob("*.onnx"))
        nodes = {node.name for node in onnx.load(model).graph.node}
        self.assertFalse(nodes & set(block["layers"]))
        pixels, labels = workbench.images(workbench.TEST_ROWS, 2)
        inputs = ((pixels[:, None].astype(np.float32) / 255 - 0.3) / 0.3).astype(np.float32)
        right = (run_network(model, inputs).argmax(1) == labels).mean()
        self.assertGreater(right, 0.6)  # a quarter by chance
        policy.write_text(json.dumps({"format": "lathe.policy", "version": 1, "blocks": [{"name": "nothing", "keep": False}]}))
        done = bench.run("compress", bench.config, "--policy", policy, "--out", out)
        self.assertEqual(done.returncode, 2)
        self.assertIn("blocks[0].name: the network has no residual block of that name", done.stderr)

    def test_latency_falls_under_a_policy(self):
        whole = self.json_of("latency", bench.model, "--device", "raspberry-pi-4", "--json")
        half = self.json_of("latency", bench.model, "--device", "raspberry-pi-4", "--policy", self.policy, "--json")
        self.assertLess(half["latency_ms"], whole["latency_ms"])
        self.assertLess(half["weight_bytes"], whole["weight_bytes"] / 4)
        self.assertAlmostEqual(sum(layer["latency_ms"] for layer in whole["layers"]), whole["latency_ms"], delta=1e-6 * whole["latency_ms"])
        batch = self.json_of("latency", bench.model, "--device", "raspberry-pi-4", "--batch", "16", "--json")
        self.assertGreater(batch["latency_ms"], whole["latency_ms"])
        text = bench.run("latency", bench.model, "--device", "raspberry-pi-4").stdout
        self.assertEqual("uncalibrated" in text, not whole["calibrated"])

    def test_devices_have_sources(self):
        names = {device["name"] for device in self.json_of("devices", "--json")}
        self.assertGreaterEqual(names, {"raspberry-pi-4", "nvidia-t4"})
        device = self.json_of("devices", "raspberry-pi-4", "--json")
        self.assertTrue(all(parameter["source"] for parameter in device["parameters"].values()))
        self.assertIn("raspberry-pi-4", bench.run("devices").stdout)

    def test_apply_cut_equals_masked(self):
        cut, masked = bench.folder / "cut.onnx", bench.folder / "masked.onnx"
        self.assertEqual(bench.run("apply", bench.model, "--policy", self.policy, "--out", cut).returncode, 0)
        self.assertEqual(bench.run("apply", bench.model, "--policy", self.policy, "--out", masked, "--masked").returncode, 0)
        inputs = np.random.default_rng(3).normal(size=(5, 1, workbench.SIDE, workbench.SIDE)).astype(np.float32)
        a, b = run_network(cut, inputs), run_network(masked, inputs)
        self.assertLessEqual(np.abs(a - b).max(), 1e-5 * np.abs(b).max())
        self.assertLess(cut.stat().st_size, 0.6 * masked.stat().st_size)

    def test_evaluate_policy_and_protocol_agree(self):
        policy = json.loads(self.policy.read_text())
        alone = self.json_of("evaluate", bench.config, "--policy", self.policy, "--split", "search", "--json")
        lines = [json.dumps({"id": "a", "groups": policy["groups"], "layers": policy["layers"]}), "not json", "",
                 json.dumps({"id": 2, "groups": [{"name": "no such", "keep_ratio": 0.5}], "layers": []}),
                 json.dumps({"id": 3, "groups": [], "layers": []})]
        done = bench.run("evaluate", bench.config, "--stdin", stdin="\n".join(lines) + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([answer["id"] for answer in answers], ["a", None, 2, 3])
        for key in ("accuracy", "latency_ms", "energy_mj", "size_bytes"):
            self.assertEqual(answers[0][key], alone[key], key)
        self.assertIn("error", answers[1])
        self.assertIn("no such", answers[2]["error"])
        self.assertGreater(answers[3]["size_bytes"], 2 * answers[0]["size_bytes"])
        self.assertGreater(answers[3]["accuracy"], 0.8)

    def test_compress_writes_a_file_that_runs(self):
        out = bench.folder / "small"
        metrics = self.json_of("compress", bench.config, "--policy", self.policy, "--out", out, "--json")
        model = out / "net.onnx"
        self.assertEqual(model.stat().st_size, metrics["size_bytes"])
        pixels, labels = workbench.images(workbench.TEST_ROWS, 2)
        inputs = ((pixels[:, None].astype(np.float32) / 255 - 0.3) / 0.3).astype(np.float32)
        accuracy = float((run_network(model, inputs).argmax(1) == labels).mean())
        self.assertAlmostEqual(accuracy, metrics["accuracy"]["value"], delta=3 * (0.25 / metrics["accuracy"]["samples"]) ** 0.5)
        self.assertIn("QuantizeLinear", {node.op_type for node in onnx.load(model).graph.node})
        self.assertEqual(json.loads((out / "policy.json").read_text())["metrics"]["accuracy"], metrics["accuracy"])
        # What is compressed already is no input for the next search.
        self.assertIn("note: quantized already", bench.run("inspect", model).stdout)
        done = bench.run("search", bench.config, "--set", f"model={model}", "--out", bench.folder / "twice")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn("quantized already", done.stderr)

    def test_four_bit_weights_take_half_the_bytes(self):
        layers = [layer["name"] for layer in self.json_of("inspect", bench.model, "--json")["layers"]]
        path = bench.folder / "four.json"
        path.write_text(json.dumps({"format": "lathe.policy", "version": 1, "groups": [], "layers": [
            {"name": name, "weight_bits": 2 + i % 3, "activation_bits": 8} for i, name in enumerate(layers)]}))
        metrics, models = {}, {}
        for types in ("int8", "int4"):
            metrics[types] = self.json_of("compress", bench.config, "--policy", path, "--out", bench.folder / types, "--json",
                                          "--set", "recover.policies=0", "--set", f"delivery.integer_types={types}")
            models[types] = bench.folder / types / "net.onnx"
            self.assertEqual(models[types].stat().st_size, metrics[types]["size_bytes"])
        self.assertEqual(metrics["int4"]["accuracy"], metrics["int8"]["accuracy"])
        graph = onnx.load(models["int4"]).graph
        onnx.checker.check_model(onnx.load(models["int4"]), full_check=True)
        elements = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.data_type == TensorProto.INT4)
        self.assertAlmostEqual(metrics["int8"]["size_bytes"] - metrics["int4"]["size_bytes"], elements / 2, delta=len(layers) + 8)
        inputs = np.random.default_rng(3).normal(size=(5, 1, workbench.SIDE, workbench.SIDE)).astype(np.float32)
        whole, half = run_network(models["int8"], inputs), run_network(models["int4"], inputs)
        self.assertEqual(whole.argmax(1).tolist(), half.argmax(1).tolist())
        self.refuse_types(path)

    def refuse_types(self, policy):
        done = bench.run("compress", bench.config, "--policy", policy, "--out", bench.folder / "x", "--set", "delivery.integer_types=int3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--set delivery.integer_types=int3", done.stderr)

    def test_sparse_weights_are_left_out_of_the_file(self):
        """Zeros are neither counted nor written, and ONNX Runtime computes what was measured."""
        layers = [layer["name"] for layer in self.json_of("inspect", bench.model, "--json")["layers"]]
        path = bench.folder / "sparse.json"
        path.write_text(json.dumps({"format": "lathe.policy", "version": 1, "groups": [], "layers": [
            {"name": name, "sparsity": 0.8, "pattern": "unstructured"} for name in layers]}))
        out = bench.folder / "sparse"
        metrics = self.json_of("compress", bench.config, "--policy", path, "--out", out, "--json",
                               "--set", "recover.stages=[{part: sparsity, epochs: 2, steps: 2}]")
        dense_bytes = bench.model.stat().st_size
        self.assertLess(metrics["packed_bytes"], 0.4 * dense_bytes)
        self.assertLess(metrics["size_bytes"], 0.9 * dense_bytes)  # positions take 8 bytes, and the graph itself a fifth of this small file
        self.assertTrue(onnx.load(out / "net.onnx").graph.sparse_initializer)
        for layer in self.json_of("inspect", out / "net.onnx", "--json")["layers"]:
            self.assertAlmostEqual(layer["sparsity"], 0.8, delta=1 / 36, msg=layer["name"])
        self.assertIn("80.0 %", bench.run("inspect", out / "net.onnx").stdout)
        pixels, labels = workbench.images(workbench.TEST_ROWS, 2)
        inputs = ((pixels[:, None].astype(np.float32) / 255 - 0.3) / 0.3).astype(np.float32)
        accuracy = float((run_network(out / "net.onnx", inputs).argmax(1) == labels).mean())
        self.assertAlmostEqual(accuracy, metrics["accuracy"]["value"], delta=3 * (0.25 / metrics["accuracy"]["samples"]) ** 0.5)

    def test_export_lists_formats_and_says_what_is_lost(self):
        formats = {entry["name"]: entry for entry in self.json_of("export", "--list", "--json")}
        self.assertGreaterEqual(set(formats), {"onnx_qdq", "qonnx", "aimet", "nncf", "torch_pruning", "torchao", "hls4ml", "nni", "json", "csv"})
        self.assertTrue(formats["aimet"]["needs_compressed_model"])
        self.assertIn("torch-pruning", bench.run("export", "--list").stdout)
        out = bench.folder / "ratios.json"
        written = self.json_of("export", self.policy, "--model", bench.model, "--format", "torch_pruning", "--out", out, "--json")
        self.assertEqual(written["files"], [str(out)])
        self.assertIn("width is left out", written["notes"][0])
        self.assertEqual(set(json.loads(out.read_text())["pruning_ratio_dict"].values()), {0.5})

    def test_users_own_evaluator(self):
        script = bench.folder / "own.py"
        script.write_text("import json, sys\nfor line in sys.stdin:\n    q = json.loads(line)\n"
                          "    bits = [l['weight_bits'] for l in q['layers']] or [32]\n"
                          "    print(json.dumps({'id': q['id'], 'accuracy': 0.5 + 0.4 * sum(bits) / len(bits) / 32}), flush=True)\n")
        config = bench.write_config("own.yaml", [("search: {", f"evaluator: {{kind: command, command: '{sys.executable} {script}'}}\nsearch: {{")])
        done = bench.run("search", config, "--out", bench.folder / "own", "--set", "search.trials=6")
        self.assertEqual(done.returncode, 0, done.stderr)
        results = bench.results("own")
        self.assertEqual(results["float"]["accuracy"]["search"]["value"], 0.9)
        self.assertEqual(len(results["trials"]), 6)

    def test_schema_and_validate(self):
        schema = self.json_of("schema")
        self.assertIn("search", schema["properties"])
        done = bench.run("validate", bench.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("trials: 20", done.stdout)
        done = bench.run("validate", bench.folder / "train.yaml")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("lathe train", done.stdout.splitlines()[0])
        self.assertIn("label_smoothing", done.stdout)

    def test_every_command_has_help_with_an_example(self):
        listed = bench.run("--help")
        self.assertEqual(listed.returncode, 0)
        for command in ("search", "inspect", "latency", "devices", "evaluate", "apply", "compress", "report", "train", "validate", "schema", "export"):
            self.assertIn(command, listed.stdout)
            done = bench.run(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn(f"lathe {command}", done.stdout[done.stdout.index("Example"):], command)


class WrongInput(unittest.TestCase):
    """(name, what `lathe` is called with, what the one line must hold)."""

    def refuse(self, arguments, *words, stdin=""):
        done = bench.run(*arguments, stdin=stdin)
        errors = done.stderr.strip().splitlines()
        self.assertEqual(done.returncode, 2, f"{arguments}: {done.stderr}")
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertEqual(done.stdout, "")

    def search(self, config, *more):
        return ["search", config, "--out", bench.folder / "wrong", *more]

    def test_missing_files(self):
        self.refuse(self.search("absent.yaml"), "absent.yaml", "can be read")
        self.refuse(["inspect", "absent.onnx"], "absent.onnx")
        self.refuse(["latency", bench.model, "--device", "raspberry-pi-4", "--policy", "absent.json"], "absent.json")
        self.refuse(["report", bench.folder / "absent"], "absent")
        strange = bench.folder / "strange_run"
        strange.mkdir(exist_ok=True)
        (strange / "pareto.json").write_text("[1]")
        self.refuse(["report", strange], "pareto.json", "expected the results of a run")
        self.refuse(self.search(bench.write_config("m.yaml", model="absent.onnx")), "m.yaml:1", "model", "absent.onnx")
        self.refuse(self.search(bench.write_config("d.yaml", data="absent")), "d.yaml:4", "data.path", "absent")

    def test_bad_key_and_bad_yaml(self):
        self.refuse(self.search(bench.write_config("k.yaml", [("trials: 20", "trails: 20")])), "k.yaml:12", "search.trails", "did you mean 'trials'?")
        self.refuse(self.search(bench.write_config("y.yaml", [("devices: [", "devices: [[")])), "y.yaml", "not valid YAML")
        self.refuse(self.search(bench.config, "--set", "search.trials=none"), "--set search.trials=none")

    def test_unknown_names(self):
        self.refuse(self.search(bench.config, "--set", "devices=[raspbery-pi-4]"), "raspberry-pi-4")
        self.refuse(["latency", bench.model, "--device", "raspbery-pi-4"], "raspberry-pi-4")
        self.refuse(["devices", "raspbery-pi-4"], "raspberry-pi-4")
        self.refuse(["serach"], "serach")
        self.refuse(["--trials"], "--trials", "command")
        self.refuse([], "required")
        self.refuse(["search"], "CONFIG")
        self.refuse(["search", bench.config, "--sett", "x=1"], "--sett")

    def test_export(self):
        policy, out = bench.folder / "to_export.json", bench.folder / "exported"
        policy.write_text(json.dumps(half_policy()))
        ask = ["export", policy, "--out", out, "--format"]
        self.refuse([*ask, "qonx"], "qonx", "did you mean 'qonnx'?")
        self.refuse([*ask, "qonnx"], "to_export.json", "lathe compress")
        self.refuse([*ask, "json"], "to_export.json", "--model")
        self.refuse([*ask, "json", "--model", bench.model, "--policy", "2"], "--policy", "run directory")
        self.refuse(["export", policy, "--format", "json"], "--out")
        self.refuse(["export", bench.folder / "data", "--format", "json", "--out", out], "pareto.json", "policy.json")
        self.refuse(["export", bench.folder / "absent", "--format", "json", "--out", out], "absent")
        self.refuse(["export", policy, "--format", "json", "--model", bench.model, "--out", "/proc/x.json"], "/proc/x.json")

    def test_unsupported_operator(self):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 12, 12])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1, 12, 12])
        graph = helper.make_graph([helper.make_node("Det", ["x"], ["d"], name="odd"), helper.make_node("Mul", ["x", "x"], ["y"])], "g", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = bench.folder / "odd.onnx"
        onnx.save(model, path)
        self.refuse(["inspect", path], "Det")
        self.refuse(self.search(bench.write_config("o.yaml", model=path)), "Det")

    def test_file_that_is_not_onnx(self):
        path = bench.folder / "text.onnx"
        path.write_text("hello")
        self.refuse(["inspect", path], "text.onnx")

    def test_wrong_image_size(self):
        folder = bench.folder / "large"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        for name in ("train", "t10k"):
            workbench.write_idx(folder / f"{name}-images-idx3-ubyte.gz", rng.integers(0, 255, (300, 16, 16)).astype(np.uint8))
            workbench.write_idx(folder / f"{name}-labels-idx1-ubyte.gz", rng.integers(0, 4, 300).astype(np.uint8))
        self.refuse(self.search(bench.write_config("l.yaml", data=folder)), "12", "16")

    def test_labels_out_of_range(self):
        folder = bench.folder / "labels"
        workbench.write_data(folder)
        workbench.write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.full(workbench.TEST_ROWS, 9, np.uint8))
        self.refuse(self.search(bench.write_config("b.yaml", data=folder)), "9")

    def test_empty_data(self):
        empty = bench.folder / "empty"
        empty.mkdir(exist_ok=True)
        self.refuse(self.search(bench.write_config("e.yaml", data=empty)), "empty")
        folder = bench.folder / "no_rows"
        workbench.write_data(folder, train=0, test=0)
        self.refuse(self.search(bench.write_config("n.yaml", data=folder)), "rows")
        self.refuse(self.search(bench.config, "--set", "data.search_rows=100000"), "rows")

    def test_impossible_constraints(self):
        self.refuse(self.search(bench.config, "--set", "constraints.latency_ms={raspberry-pi-4: 1.0e-9}"), "constraints.latency_ms", "raspberry-pi-4", "best")
        self.refuse(self.search(bench.config, "--set", "constraints.packed_bytes=10"), "constraints.packed_bytes", "best")

    def test_unwritable_output(self):
        self.refuse(["search", bench.config, "--out", "/dev/null/run"], "/dev/null/run")
        self.refuse(["search", bench.config, "--out", "/proc/run"], "/proc/run")
        self.refuse(["search", bench.config, "--out", bench.config], str(bench.config))
        self.refuse(["search", bench.config, "--out", ""], "--out", "expected a path")
        policy = bench.folder / "plain.json"
        policy.write_text(json.dumps(half_policy()))
        self.refuse(["apply", bench.model, "--policy", policy, "--out", "/proc/x.onnx"], "/proc/x.onnx")

    def test_training_that_could_not_end_does_not_begin(self):
        train = bench.folder / "train.yaml"
        self.refuse(["train", train, "--out", "/proc/x.onnx"], "/proc/x.onnx", "cannot be written")
        self.refuse(["train", train, "--out", bench.folder / "no" / "such.onnx"], "such.onnx", "cannot be written")
        self.refuse(["train", train, "--out", bench.folder], "cannot be written")
        self.refuse(["train", train, "--out", bench.folder / "gpu.onnx", "--set", "train.device=cuda"], "train.device", "cuda")
        policy = bench.folder / "for_gpu.json"
        policy.write_text(json.dumps(half_policy()))
        self.refuse(["compress", bench.config, "--policy", policy, "--out", bench.folder / "gpu", "--set", "recover.device=cuda"],
                    "recover.device", "cuda")
        self.refuse(["evaluate", bench.config, "--policy", policy, "--set", "evaluator.device=cuda"], "evaluator.device", "cuda")

    def test_output_that_holds_something(self):
        full = bench.folder / "full"
        full.mkdir(exist_ok=True)
        (full / "file").write_text("x")
        self.refuse(["search", bench.config, "--out", full], "--resume", "--out")

    def test_resume_with_another_config(self):
        run = bench.folder / "changed"
        short = ["--set", "search.trials=2", "--set", "recover.policies=0"]
        self.assertEqual(bench.run("search", bench.config, "--out", run, *short).returncode, 0)
        done = bench.run("search", bench.config, "--out", run, "--resume", *short, "--seed", 9)
        self.assertEqual(done.returncode, 2)
        self.assertIn("seed: 5 then, 9 now", done.stderr.strip().splitlines()[-1])

    def test_policies_that_do_not_fit(self):
        path = bench.folder / "strange.json"
        path.write_text(json.dumps({"format": "lathe.policy", "version": 1, "groups": [{"name": "nowhere", "keep_ratio": 0.5}], "layers": []}))
        self.refuse(["apply", bench.model, "--policy", path, "--out", bench.folder / "x.onnx"], "strange.json", "groups[0].name", "nowhere")
        layer = json.loads(bench.run("inspect", bench.model, "--json").stdout)["layers"][0]["name"]
        sparse = {"format": "lathe.policy", "version": 1, "layers": [{"name": layer, "sparsity": 0.6, "pattern": "2:4"}]}
        path.write_text(json.dumps(sparse))
        self.refuse(["evaluate", bench.config, "--policy", path], "strange.json", "layers[0].sparsity")
        path.write_text("{")
        self.refuse(["apply", bench.model, "--policy", path, "--out", bench.folder / "x.onnx"], "strange.json")
        self.refuse(["evaluate", bench.config], "--policy", "--stdin")


if __name__ == "__main__":
    program = pathlib.Path(sys.argv.pop(1))
    with tempfile.TemporaryDirectory() as folder:
        bench = workbench.Workbench(program, folder)
        sys.exit(unittest.main(verbosity=1))
