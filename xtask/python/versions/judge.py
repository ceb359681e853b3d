"""One model of one version: every form is listed, every output is written from every form."""

import dataclasses

import expected
import kinds
import product
import tensors
import written

# Outputs that some Keras cannot load whoever wrote them: its own file of the model is asked for.
FORGIVEN = ("whole", "keras", "legacy")
# The kind of fault of a file from which Keras builds another model.
OTHER = ["other variables"]
# Those in which the order tells a variable, and the names of datasets nothing.
BY_ORDER = ("whole", "legacy")


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
        value = (
            tensors.random_values(row["weights_h5"], row["shape"], row["dtype"])
            if repeated is None
            else repeated
        )
        values[key] = value
        keys[row["weights_h5"]] = key
        by_row[number] = value
    folder.mkdir(parents=True)
    checkpoint, schema = folder / "new.safetensors", folder / "schema.toml"
    # Not the order of the variables: names alone bring them together.
    tensors.write(checkpoint, dict(sorted(values.items(), key=lambda item: item[0][::-1])))
    schema.write_text("schema = 1\n\n" + "\n".join(rules.values()), encoding="utf-8")
    return checkpoint, schema, keys


class Judgement:
    """Of one model: the verdicts that need no Keras, and the jobs for Keras, each with the cell it decides."""

    def __init__(self, binary, environment, said, work):
        self.binary, self.environment, self.said, self.work = binary, environment, said, work
        self.model = said.said["model"]
        self.cells, self.jobs, self.checked = [], [], set()

    def undecided(self, form, output):
        return Cell(self.environment.title, self.model, form, output, "")

    def brief(self, reason):
        """The same for every model: without the folders."""
        for folder in (self.work, self.said.folder):
            reason = reason.replace(f"{folder}/", "")
        return reason

    def decide(self, form, output, verdict, reason=""):
        reason = self.brief(reason)
        self.cells.append(dataclasses.replace(self.undecided(form, output), verdict=verdict, reason=reason))

    def ask(self, form, output, **job):
        common = {"model": self.model, "kind": output, "offers": self.said.said["offers"]}
        self.jobs.append((self.undecided(form, output), common | job))

    def own(self, *forms):
        """Keras' own files of those forms, as far as it can write them."""
        return [(form, str(self.said.file(form))) for form in dict.fromkeys(forms) if self.said.file(form)]

    def ask_of_own(self, form, output, fault, forms, **more):
        """Whether Keras' own files do no better."""
        own = {"fault": self.brief(str(fault)), "own": self.own(*forms), "from": None}
        self.ask(form, output, digest=f"{form} {fault}", **own, **more)

    def judge(self, forms=tuple(kinds.FILES), outputs=kinds.OUTPUTS):
        for form in forms:
            if form not in self.said.said["forms"]:
                continue
            if self.said.refused:
                self.must_refuse(form, self.said.refused)
                continue
            if self.said.untold and form in kinds.WITHOUT_WEIGHTS:
                self.must_not_write(form)
                continue
            pairs = self.list(form)
            if pairs is None:
                continue
            sources = prepare(pairs, self.work / form), written.shard_size(pairs)
            for output in self.outputs():
                if output in outputs:
                    self.write(form, output, sources)

    def must_refuse(self, form, quantization):
        """A configuration that cannot be written to, with the reason and the name of a layer."""
        path = self.said.file(form)
        if form not in kinds.CONFIGURED or path is None:
            return
        try:
            product.inspect(self.binary, path)
        except product.Refused as refusal:
            said = str(refusal)
            names = (f"`{layer}`" in said for layer in self.said.said["layers"])
            told = isinstance(refusal, product.Untold) or said.startswith("exit code 4")
            if told and quantization in said and any(names):
                self.decide(form, "listed", "refused", said)
            else:
                self.decide(form, "listed", "FAILED", f"refused without the reason: {said}")
        except product.Crashed as fault:
            self.decide(form, "listed", "FAILED", str(fault))
        else:
            self.decide(form, "listed", "FAILED", f"{quantization} is not refused")

    def must_not_write(self, form):
        """A configuration that is listed, and from which nothing is written for this Keras."""
        path = self.said.file(form)
        if path is None:
            self.decide(form, "listed", "Keras cannot", self.said.cannot_save(form))
            return
        try:
            entries = product.inspect(self.binary, path)
        except (product.Refused, product.Crashed) as fault:
            self.decide(form, "listed", "FAILED", str(fault))
            return
        pairs = [(entry | {"repeats": None}, entry["path"]) for entry in entries]
        checkpoint, schema, _ = prepare(pairs, self.work / form)
        for output in self.outputs():
            folder, files = self.work / form / output, (checkpoint, path, schema)
            try:
                shard = written.shard_size(pairs)
                written.write(self.binary, self.environment.version, output, files, shard, folder, set())
            except product.Refused as refusal:
                is_told = kinds.ORDERS in str(refusal) or self.may_refuse(form, output, str(refusal))
                self.decide(form, output, "refused" if is_told else "FAILED", str(refusal))
            except product.Crashed as fault:
                self.decide(form, output, "FAILED", str(fault))
            else:
                self.decide(form, output, "FAILED", "written, though Keras reads other variables")

    def outputs(self):
        known = self.said.said["forms"]
        return [output for output in kinds.OUTPUTS if output != "sharded" or "sharded" in known]

    def may_refuse(self, form, output, said):
        is_old = self.environment.version.startswith("2.")
        return kinds.may_refuse(form, output, self.said.custom, is_old, said)

    def list(self, form):
        """The pairs of variables, where all is listed as it must be."""
        path = self.said.file(form)
        if path is None:
            self.decide(form, "listed", "Keras cannot", self.said.cannot_save(form))
            return None
        try:
            listed = product.inspect(self.binary, path)
            pairs = expected.placed(listed, self.said.rows(form), form, self.said.named)
        except product.Untold as refusal:
            return self.list_stored(form, refusal)
        except product.Refused as refusal:
            if (self.said.custom and form in kinds.CONFIGURED) or kinds.DISAGREE in str(refusal):
                self.decide(form, "listed", "refused", str(refusal))
            else:
                self.ask_of_own(form, "listed", refusal, [form])
        except product.Crashed as fault:
            self.decide(form, "listed", "FAILED", str(fault))
        except expected.Differs as fault:
            self.ask_of_own(form, "listed", fault, [form])
        else:
            self.decide(form, "listed", "equal")
            return pairs
        return None

    def list_stored(self, form, refusal):
        """What is listed where the configuration is refused: the weights, as in a file without one."""
        if not self.said.custom:
            self.ask_of_own(form, "listed", refusal, [form])
            return None
        stored = "legacy" if form == "whole" else "weights"
        try:
            pairs = expected.placed(refusal.entries, self.said.variables, stored, self.said.named)
        except expected.Differs as fault:
            self.decide(form, "listed", "FAILED", str(fault))
            return None
        self.decide(form, "listed", "refused", str(refusal))
        return pairs

    def excuses(self, form, output):
        """What of its own Keras has to read: the same form, and the configuration that is carried over."""
        if output not in FORGIVEN:
            return []
        return [output, form] if output in kinds.CONFIGURED else [output]

    def check(self, form, output, file, keys):
        """What needs no Keras: the datasets are those of its own file, and the configuration is the source's."""
        if output in ("keras", "whole"):
            written.same_configuration(file, self.said.file(form))
        if output in BY_ORDER:
            return
        rows = [row for row in self.said.variables if not row["known"] and row["weights_h5"] not in keys]
        written.carried_over([row["weights_h5"] for row in rows], file, self.said.file("weights"))
        if self.said.file(output) and not self.said.rebuilt(form):
            written.same_datasets(file, self.said.file(output))

    def write(self, form, output, sources):
        """One output from one form, for Keras to load."""
        (checkpoint, schema, keys), shard = sources
        folder, files = self.work / form / output, (checkpoint, self.said.file(form), schema)
        try:
            file = written.write(
                self.binary, self.environment.version, output, files, shard, folder, self.checked
            )
            self.check(form, output, file, keys)
        except product.Refused as refusal:
            if self.may_refuse(form, output, str(refusal)):
                self.decide(form, output, "refused", str(refusal))
            else:
                self.ask_of_own(form, output, refusal, self.excuses(form, output), refused=True)
        except Exception as fault:  # whatever is wrong with one file, the others are still judged
            self.decide(form, output, "FAILED", f"{type(fault).__name__}: {fault}")
        else:
            self.ask(
                form,
                output,
                file=str(file),
                checkpoint=str(checkpoint),
                keys=keys,
                digest=written.digest(file),
                own=self.own(*self.excuses(form, output)),
                **{"from": str(self.said.file("json")) if self.said.rebuilt(form) else None},
            )


def settled(cell, job, verdict, said):
    """The verdict, once Keras has tried: where a file of its own fails in the same way, ours may.

    What is refused, or listed otherwise, may be so where its own file fails in any way; and so may a model that
    Keras builds with other variables from its own configuration, and one whose configuration it reads otherwise than
    it saves.
    """
    if not verdict["fault"]:
        return dataclasses.replace(cell, verdict="equal")
    cannot, own = said.cannot_save(cell.output), list(verdict["own"])
    if cannot and (job.get("refused") or verdict["kinds"] == [said.kind_of_cannot_save(cell.output)]):
        own.append([cannot, verdict["kinds"]])
    for reason, kinds_of_own in own:
        is_other_model = verdict["kinds"] == OTHER or (said.untold and kinds_of_own == OTHER)
        if "fault" in job or is_other_model or set(verdict["kinds"]) <= set(kinds_of_own):
            return dataclasses.replace(cell, verdict="Keras cannot", reason=reason)
    but = "".join(f"; Keras' own file: {reason}" for reason, _ in own)
    but += f"; Keras itself cannot save it: {cannot}" if cannot else ""
    return dataclasses.replace(cell, verdict="FAILED", reason=verdict["fault"] + but)
