"""Random graphs: the order of the layers, and so the place of every variable, is Keras' own."""

import json
import shutil

import expected
import product
from outcome import Outcome


def judge_version(environment, options, work):
    """Faults name the seed; graphs that are listed otherwise stay in the folder."""
    folder = work / "graphs" / environment.version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = folder / "graphs.jsonl"
    environment.must_run("make_graphs.py", lines, options.seed, options.graphs, log=folder / "make.log")
    faults, layers = [], 0
    for line in lines.read_text(encoding="utf-8").splitlines():
        graph = json.loads(line)
        layers += graph.get("layers", 0)
        fault = judge(options.ptw2k, graph, folder)
        if fault:
            faults.append(f"Keras {environment.version}, graph of seed {graph['seed']}: {fault}")
    lines.unlink()
    count = f"{options.graphs} random graphs from seed {options.seed}, {layers} layers"
    line = f"Keras {environment.version}: {count}, {len(faults)} mismatches"
    return Outcome(lines=[line], faults=faults)


def judge(binary, graph, folder):
    """What is wrong; nothing when all is as Keras has it."""
    if "fault" in graph:
        return f"Keras cannot build it: {graph['fault']}"
    path = folder / f"{graph['seed']}.json"
    path.write_text(graph["json"], encoding="utf-8")
    try:
        expected.placed(product.inspect(binary, path), graph["variables"], "json")
    except (product.Refused, product.Crashed, expected.Differs) as fault:
        return f"{path}: {fault}"
    path.unlink()
    return None
