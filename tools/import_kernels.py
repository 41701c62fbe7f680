#!/usr/bin/env python3
"""Writes data/kernels.json and data/com_microsoft.json from what was gathered about ONNX Runtime.

Usage: tools/import_kernels.py FOLDER [--out data]

FOLDER holds ort_kernels_documented.json (tables of kernels by release), ort_kernels_registered.json
(the same from the sources, without types, also of older releases), ort_kernels_measured.json (which
of the official test models each release loads), com_microsoft_schemas.json (contributed operators)
and op_schemas.json. The build does not run this script; it is how the files are renewed when ONNX
Runtime releases a new version. Review the difference of the files like code.
"""

import argparse
import collections
import json
import pathlib
import re

# From this release on the tables that ONNX Runtime publishes with its sources are kept up to date;
# before it only the versions can be had, from the registrations [ort_kernels_documented, notes].
FIRST_KEPT_TABLE = (1, 8)

ELEMENTS = {
    "f32": "float", "f64": "double", "f16": "float16", "bf16": "bfloat16", "str": "string",
    "bool": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "i4": "int4",
    "i2": "int2", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "u4": "uint4",
    "u2": "uint2", "c64": "complex64", "c128": "complex128", "f4e2m1": "float4e2m1",
    "f8e4m3fn": "float8e4m3fn", "f8e4m3fnuz": "float8e4m3fnuz", "f8e5m2": "float8e5m2",
    "f8e5m2fnuz": "float8e5m2fnuz", "f8e8m0": "float8e8m0",
}

# Measured with real models; each was narrowed down to the least that shows it.
FAULTS = [
    {"operator": "Loop", "domain": "ai.onnx", "releases": "1.24-1.27", "nested": 30,
     "effect": "loading hangs: 30 nested loops took longer than 15 seconds"},
    {"operator": "CenterCropPad", "domain": "ai.onnx", "releases": "1.14-1.14", "negative": "axes",
     "effect": "loading crashes: CenterCropPad with negative axes"},
    {"operator": "Pad", "domain": "ai.onnx", "releases": "1.14-1.14", "negative": "axes",
     "effect": "running crashes: Pad with negative axes"},
    *({"operator": name, "domain": "ai.onnx", "releases": "1.14-1.16", "body_from": 18,
       "effect": f"the function body of {name} gives ReduceMax its axes as opset 13 has them"}
      for name in ("LogSoftmax", "Softmax")),
    *({"operator": name, "domain": "ai.onnx", "releases": "1.18-1.18", "nonzero": "block_size",
       "effect": f"running fails: {name} in blocks"}
      for name in ("DequantizeLinear", "QuantizeLinear")),
    {"value": "optional", "releases": "1.9-1.14",
     "effect": "no model with a value of an optional type loads"},
    *({"operator": "Constant", "domain": "ai.onnx", "releases": "1.9-1.11", "longer": attribute,
       "effect": f"{attribute} of more than one element is taken for a tensor of one"}
      for attribute in ("value_floats", "value_ints", "value_strings")),
    *({"operator": "LabelEncoder", "domain": "ai.onnx.ml", "releases": "1.9-1.14", "alike": type_,
       "effect": f"no kernel of LabelEncoder has keys and values of {type_}"}
      for type_ in ("float", "string")),
    {"function": "subgraph", "releases": "1.9-1.11",
     "effect": "no function with a subgraph in its body loads"},
    {"function": "unused input", "releases": "1.9-1.14",
     "effect": "no function with an input that its body leaves alone loads"},
    {"function": "renamed reference", "releases": "1.12-1.12",
     "effect": "an attribute of a function's node must refer to one of its own name"},
]

# What the function body of an operator applies to the very inputs of the operator: where the
# operator has no kernel for their types, this one needs it.
BODY_OPERATORS = {"GreaterOrEqual": "Greater", "LessOrEqual": "Less"}


def number(release):
    return tuple(int(part) for part in release.split("."))


def typed(types):
    """The type lists of a row, spelled as operator schemas do; element types alone."""
    return {param: sorted(re.sub(r"map\((\w+),tensor\((\w+)\)\)", r"map(\1, \2)", n) for n in names)
            for param, names in sorted((types or {}).items())}


def kernel_rows(documented, registered, releases):
    """{(domain, op): [row]}: a row holds for an unbroken run of releases."""
    present = collections.defaultdict(lambda: collections.defaultdict(list))
    for index, release in enumerate(releases):
        if number(release) < FIRST_KEPT_TABLE:
            for domain, operators in registered.items():
                if domain == "_meta":
                    continue
                for op, rows in operators.items():
                    for row in rows:
                        if "build_flag" in row:
                            continue
                        if number(row["from"]) <= number(release) <= number(row["to"]):
                            present[domain, op][row["versions"], "{}"].append(index)
            continue
        for domain, operators in documented[release]["CPU"].items():
            for op, rows in operators.items():
                for row in rows:
                    key = json.dumps(typed(row.get("types")), sort_keys=True)
                    present[domain, op][row["versions"], key].append(index)
    out = {}
    for place, rows in present.items():
        runs = []
        for (versions, types), indices in rows.items():
            start = previous = None
            for i in sorted(set(indices)):
                if start is None:
                    start = previous = i
                elif i == previous + 1:
                    previous = i
                else:
                    runs.append((versions, types, start, previous))
                    start = previous = i
            runs.append((versions, types, start, previous))
        runs.sort(key=lambda run: (number(run[0].rstrip("+").split("-")[0]), run[2], run[1], run[0]))
        out[place] = [{"versions": versions, "releases": f"{releases[first]}-{releases[last]}",
                       "types": json.loads(types)} for versions, types, first, last in runs]
    return out


def element(code):
    match = re.fullmatch(r"(seq|opt|optional)\((.*)\)", code)
    if match:
        kind = "seq" if match[1] == "seq" else "optional"
        return f"{kind}({element(match[2])})"
    return ELEMENTS[code]


def signature(codes):
    """The words for "f32,seq(i64)" as schemas spell it; None where a type is not told."""
    try:
        return " ".join(element(code) for code in codes.split(",")) if codes else ""
    except KeyError:
        return None


def measured_rows(measured, schemas, ceilings):
    """{(domain, op): {since: {input types: "+-!~."}}}, one sign for each release: every case
    loads, none does for want of a kernel, none does for another reason although other releases load
    them, some do, not measured."""
    history = collections.defaultdict(list)
    for schema in schemas:
        history[schema["domain"], schema["name"]].append(schema["since_version"])
    groups = collections.defaultdict(list)
    for name, _, _, _, opset, ml, op, inputs, result in measured["cases"]:
        if not op or op.startswith("ai.onnx.preview"):
            continue
        domain, _, name = op.rpartition("::")
        domain = "" if domain in ("", "ai.onnx") else domain
        if not history[domain, name] and history["ai.onnx.ml", name]:
            domain = "ai.onnx.ml"
        version = ml if domain == "ai.onnx.ml" else opset
        since = max((v for v in history[domain, name] if version and v <= version), default=None)
        types = signature(inputs)
        if since is None or types is None:
            continue
        groups[domain, name, since, types].append((opset, ml, result))
    out = collections.defaultdict(lambda: collections.defaultdict(dict))
    for (domain, name, since, types), cases in sorted(groups.items()):
        signs = ""
        for i, release in enumerate(measured["ort"]):
            outcomes = set()
            for opset, ml, result in cases:
                above = (opset or 0) > ceilings[release][0] or (ml or 0) > ceilings[release][1]
                if above or "L" not in result and result[i] != "k":
                    continue  # it says nothing about the operator
                # The builds that tell no reason ("w") lack the kernel, once the opset is there.
                outcomes.add("+" if result[i] == "L" else "-" if result[i] in "kw" else "!")
            if len(outcomes) == 1 and (outcomes != {"!"} or len(cases) > 1):
                signs += outcomes.pop()
            else:
                signs += "~" if "+" in outcomes else "-" if outcomes == {"-", "!"} else "."
        if set(signs) != {"."}:
            out[domain, name][str(since)][types] = signs
    return out


def compact(value, indent=0):
    """JSON with one line for each list or object that holds no other object."""
    pad = "  " * indent
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + len(pad) <= 110 or not isinstance(value, (dict, list)):
        return flat
    if isinstance(value, list):
        if all(not isinstance(v, (dict, list)) for v in value):
            return flat
        inner = ",\n".join(f"{pad}  {compact(v, indent + 1)}" for v in value)
        return f"[\n{inner}\n{pad}]"
    inner = ",\n".join(f"{pad}  {json.dumps(k)}: {compact(v, indent + 1)}" for k, v in value.items())
    return f"{{\n{inner}\n{pad}}}"


def kernels(folder):
    documented = json.loads((folder / "ort_kernels_documented.json").read_text())
    registered = json.loads((folder / "ort_kernels_registered.json").read_text())
    measured = json.loads((folder / "ort_kernels_measured.json").read_text())
    loads = json.loads((folder / "ort_measured.json").read_text())["versions"]
    schemas = [dict(s, domain="" if s["domain"] == "ai.onnx" else s["domain"])
               for s in json.loads((folder / "op_schemas.json").read_text())]
    releases = sorted((r["release"] for r in registered["_meta"]["releases"]), key=number)
    ceilings = {r: (v["max_opset_released"], v["max_ml_opset"]) for r, v in loads.items()}
    rows = kernel_rows(documented, registered, releases)
    tried = measured_rows(measured, schemas, ceilings)
    lists = []

    def list_number(types):
        if types not in lists:
            lists.append(types)
        return lists.index(types)

    operators = collections.defaultdict(dict)
    places = set(rows) | {("ai.onnx" if d == "" else d, n) for d, n in tried}
    for domain, name in sorted(places):
        entry = {}
        if (domain, name) in rows:
            # [operator versions, releases, {type parameter: number of its list}]
            entry["kernels"] = [[row["versions"], row["releases"],
                                 {p: list_number(t) for p, t in row["types"].items()}]
                                for row in rows[domain, name]]
        key = ("" if domain == "ai.onnx" else domain, name)
        if key in tried:
            entry["measured"] = tried[key]
        operators[domain][name] = entry
    return {
        "format": 1,
        "product": "onnxruntime",
        "source": "CPU kernels: docs/OperatorKernels.md of each release from 1.8 on, before that the "
                  "registrations in its sources; measured: the official test models loaded there",
        "releases": releases,
        "approximate_from": "1.24",
        "measured_releases": measured["ort"],
        # Highest opset that loads with ALLOW_RELEASED_ONNX_OPSET_ONLY=0, where that is another one.
        "unreleased_opset": {r: v["max_opset_accepted_env0"] for r, v in sorted(loads.items())
                             if v["max_opset_accepted_env0"] != v["max_opset_released"]},
        "functions_from": min((r for r, v in loads.items() if v["other_checks"]["function_ir8"]),
                              key=number),
        # From here on a function's imports are held against the ceilings. Measured with a function
        # of one Relu: 1.9.0, 1.10.0 and 1.11.0 load it whatever ai.onnx it imports, 1.12.1, 1.14.0,
        # 1.16.3 and 1.20.1 refuse what is above theirs.
        "function_imports_from": "1.12.0",
        # What made a release crash, hang or refuse, beyond kernels: see docs/decisions.
        "faults": FAULTS,
        "body_operators": BODY_OPERATORS,
        "type_lists": lists,
        "operators": operators,
    }


def since_release(schema, names, key):
    """{name: release} for those that came after the operator."""
    first = schema["first_seen_release"]
    return {n: r for n, r in (schema.get(key) or {}).items() if n in names and r != first}


def contributed(folder):
    """Contributed operators: signature, and since when each part of it is there."""
    out = {"format": 1, "product": "onnxruntime",
           "source": "docs/ContribOperators.md and the sources of each release", "operators": {}}
    for s in json.loads((folder / "com_microsoft_schemas.json").read_text()):
        domain = s["domain"] or "ai.onnx"
        inputs = [f'{p["name"]}:{p["type_str"]}:{p["option"]}' for p in s["inputs"]]
        outputs = [f'{p["name"]}:{p["type_str"]}:{p["option"]}' for p in s["outputs"]]
        entry = {"since_version": s["since_version"], "build": s["build"],
                 "first": s["first_seen_release"], "last": s["last_seen_release"]}
        if s.get("absent_in_releases"):
            entry["absent"] = s["absent_in_releases"]
        if s["deprecated"]:
            entry["deprecated"] = True
        if s["has_function_body"] or s["context_dependent_function"]:
            entry["function"] = True
        if s["evidence"].startswith("source (partly"):
            entry["incomplete"] = True
        entry["arity"] = [s["min_input"], s["max_input"], s["min_output"], s["max_output"]]
        changes = s["signature_changes"]
        # {number of an input: the release from which it may be left out}
        optional_since = {str(c["index"]): change["release"] for change in changes
                          for c in change.get("inputs_changed", [])
                          if c["from"].endswith(":single") and c["to"].endswith(":optional")}
        if optional_since:
            entry["optional_since"] = optional_since
        removed = {name: change["release"] for change in changes
                   for name in change.get("attributes_removed", [])}
        if removed:
            entry["removed_attributes"] = removed
        entry["inputs"] = inputs
        entry["outputs"] = outputs
        entry["input_since"] = s.get("input_count_since") or []
        entry["output_since"] = s.get("output_count_since") or []
        attributes = {}
        since = since_release(s, {a["name"] for a in s["attributes"]}, "attribute_since")
        for a in s["attributes"]:
            word = a["type"] + (" required" if a["required"] else "")
            attributes[a["name"]] = word + (f' {since[a["name"]]}' if a["name"] in since else "")
        entry["attributes"] = attributes
        types = {}
        for constraint in s["type_constraints"]:
            later = since_release({**s, "t": (s.get("type_since") or {}).get(constraint["param"])},
                                  set(constraint["types"]), "t")
            types[constraint["param"]] = [t + (f" {later[t]}" if t in later else "")
                                          for t in constraint["types"]]
        entry["types"] = types
        out["operators"].setdefault(domain, {}).setdefault(s["name"], []).append(entry)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("data"))
    args = parser.parse_args()
    (args.out / "kernels.json").write_text(compact(kernels(args.folder)) + "\n")
    (args.out / "com_microsoft.json").write_text(compact(contributed(args.folder)) + "\n")


if __name__ == "__main__":
    main()
