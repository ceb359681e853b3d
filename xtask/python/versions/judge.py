"""One model of one version: every form is listed, every output is written from every form."""

import dataclasses
import filecmp
import hashlib
import pathlib
import shutil
import subprocess

import h5py

import expected
import kinds
import product
import tensors


@dataclasses.dataclass(frozen=True)
class Cell:
    """One verdict: `output` is `listed` for the listing itself."""

    version: str
    model: str
    form: str
    output: str
    # "equal", "Keras cannot", "refused" (where the form does not tell enough), "FAILED".
    verdict: str
    reason: str = ""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(path):
    return path.replace("{", "{{").replace("}", "}}")


def rule(torch, keras, rank):
    axes = " ".join("abcdefgh"[:rank])
    layout = f"layout = {quoted(f'{axes} -> {axes}')}\n" if rank else ""
    return f"[[tensor]]\ntorch = {quoted(torch)}\nkeras = {quoted(keras)}\n{layout}"


def prepare(pairs, folder):
    """A checkpoint of new values whose keys are the variables' paths, and the schema that says no more than that.

    A rule per rank, since a square kernel could be meant to be transposed. A layer's name may hold dots, which
    separate keys: such variables get a rule each.
    """
    values, keys, rules, by_row = {}, {}, {}, {}
    for number, (row, path) in enumerate(pairs):
        rank = len(row["shape"])
        if "." in path or "{" in path:
            key = f"x{number}"
            rules[key] = rule(key, escaped(path), rank)
        else:
            key = f"rank{rank}." + path.replace("/", ".")
            rules[rank] = rule(f"rank{rank}.{{p:**}}", "{p}", rank)
        repeated = by_row.get(row["repeats"])
        value = tensors.random_values(row["weights_h5"], row["shape"], row["dtype"]) if repeated is None else repeated
        values[key] = value
        keys[row["weights_h5"]] = key
        by_row[number] = value
    folder.mkdir(parents=True)
    checkpoint, schema = folder / "new.safetensors", folder / "schema.toml"
    # Not the order of the variables: names alone bring them together.
    tensors.write(checkpoint, dict(sorted(values.items(), key=lambda item: item[0][::-1])))
    schema.write_text("schema = 1\n\n" + "\n".join(rules.values()), encoding="utf-8")
    return checkpoint, schema, keys


def written_files(output):
    """The output's files: shards stand beside their index."""
    if not output.name.endswith(".weights.json"):
        return [output]
    stem = output.name.removesuffix(".weights.json")
    return [output, *sorted(output.parent.glob(f"{stem}_*.weights.h5"))]


def check_hdf5(path):
    """Every object, by h5py and by the tool of the HDF5 library."""
    if not h5py.is_hdf5(path):
        return
    with h5py.File(path) as file:
        file.visititems(lambda name, item: item[()] if isinstance(item, h5py.Dataset) else dict(item.attrs))
    if shutil.which("h5dump"):
        subprocess.run(["h5dump", "-H", str(path)], check=True, stdout=subprocess.DEVNULL)


def write(binary, version, architecture, output_kind, sources, folder):
    """One output: converted, verified, read by h5py and h5dump, and the same from one thread."""
    checkpoint, schema = sources
    output = folder / product.OUTPUTS[output_kind]
    folder.mkdir(parents=True)
    product.convert(binary, checkpoint, architecture, schema, output, version)
    product.verify(binary, checkpoint, architecture, schema, output, version)
    alone = folder / "alone" / output.name
    alone.parent.mkdir()
    product.convert(binary, checkpoint, architecture, schema, alone, version, threads=1)
    files, others = written_files(output), written_files(alone)
    if [file.name for file in files] != [file.name for file in others]:
        raise product.Crashed("one thread writes other files than many")
    for file, other in zip(files, others):
        if not filecmp.cmp(file, other, shallow=False):
            raise product.Crashed(f"one thread writes other bytes than many: {file.name}")
        check_hdf5(file)
    shutil.rmtree(alone.parent)
    return output


def digest(output):
    total = hashlib.sha256()
    for file in written_files(output):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def judge(binary, environment, said, work):
    """The cells that are decided without Keras, and the jobs for Keras: `[(cell, job)]`."""
    cells, jobs, version, title = [], [], environment.version, environment.title
    for form in kinds.FILES:
        if form not in said.said["forms"]:
            continue

        def cell(output, verdict, reason=""):
            for folder in (work, said.folder):
                reason = reason.replace(f"{folder}/", "")
            cells.append(Cell(title, said.said["model"], form, output, verdict, reason))

        path = said.file(form)
        if path is None:
            cell("listed", "Keras cannot", said.keras_cannot(form))
            continue
        try:
            pairs = expected.listed(product.inspect(binary, path), said, form)
        except product.Refused as refusal:
            if said.custom and form in kinds.CONFIGURED:
                cell("listed", "refused", str(refusal))
            elif said.keras_cannot(form) and form in kinds.CONFIGURED:
                cell("listed", "Keras cannot", said.keras_cannot(form))
            else:
                cell("listed", "FAILED", str(refusal))
            continue
        except (product.Crashed, expected.Differs) as fault:
            cell("listed", "FAILED", str(fault))
            continue
        cell("listed", "equal")
        checkpoint, schema, keys = prepare(pairs, work / form)
        for output_kind in kinds.OUTPUTS:
            if output_kind == "sharded" and "sharded" not in said.said["forms"]:
                continue
            try:
                output = write(binary, version, path, output_kind, (checkpoint, schema), work / form / output_kind)
            except product.Refused as refusal:
                ok = kinds.may_refuse(form, output_kind, said.custom)
                cell(output_kind, "refused" if ok else "FAILED", str(refusal))
                continue
            except Exception as fault:  # whatever is wrong with one file, the others are still judged
                cell(output_kind, "FAILED", f"{type(fault).__name__}: {fault}")
                continue
            jobs.append((Cell(title, said.said["model"], form, output_kind, ""), {
                "model": said.said["model"], "kind": output_kind, "file": str(output), "checkpoint": str(checkpoint), "keys": keys,
                "from": str(said.file("json")) if said.rebuilt(form) else None, "offers": said.said["offers"],
                "digest": digest(output)}))
    return cells, jobs


def settled(cell, fault, said):
    """The verdict, once Keras has tried: what it cannot do with its own file it need not do with ours."""
    if not fault:
        return dataclasses.replace(cell, verdict="equal")
    forgiven = ("whole", "keras", "legacy") if cell.version.startswith("2.") else ("whole", "keras")
    own = said.keras_cannot(cell.output) if cell.output in forgiven else None
    if own:
        return dataclasses.replace(cell, verdict="Keras cannot", reason=own)
    return dataclasses.replace(cell, verdict="FAILED", reason=fault)
