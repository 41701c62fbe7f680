#!/usr/bin/env python3
"""Writes data/attribute_values.json from a collection of facts about operators.

Usage: tools/import_attribute_values.py FACTS.json > data/attribute_values.json

FACTS.json holds, for each operator version, what its attributes and inputs may be beyond what the
schema says. Every fact becomes a row here that is stated once, with the operator versions in which
it holds. The build does not run this script; review the difference of the file like code.
"""

import json
import re
import sys

# What the program's evaluator knows (src/checker/expression.cpp); facts in other terms are left out.
FUNCTIONS = {
    "all_dims_one", "all_equal", "all_or_none", "all_same_dtype", "all_same_rank",
    "all_same_shape", "at_most_one", "bcast", "bcast_to", "bitwidth", "ceil_div", "concat", "contains",
    "count", "dim", "dtype", "elem_dtype", "elem_lt", "elem_max", "exactly_one", "has", "ite",
    "key_count", "key_dtype", "legacy_bcast", "len", "max", "min", "n", "n_labels", "present",
    "prod", "rank", "same_shape_except", "shape", "size", "sum", "unique_pairs", "val",
    "value_count", "value_dtype", "all_zero_positions"}
WORDS = {"and", "or", "not", "in", "true", "unset", "r", "n_in", "n_out", "attr", "out"}
TYPES = {"FLOAT": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7,
         "STRING": 8, "BOOL": 9, "FLOAT16": 10, "DOUBLE": 11, "UINT32": 12, "UINT64": 13,
         "COMPLEX64": 14, "COMPLEX128": 15, "BFLOAT16": 16}

# What the collection leaves to inference, which cannot tell where axes are not known, or does not
# look.
AXES_ARE_INPUTS = (13, 21, 23, 24, 25)
OWN = {
    "size(in.data) == size(out.expanded)": [f"Unsqueeze-{v}" for v in AXES_ARE_INPUTS],
    "size(in.data) == size(out.squeezed)": [f"Squeeze-{v}" for v in AXES_ARE_INPUTS],
    "dim(in.K,-2) == dim(in.V,-2)": ["Attention-23", "Attention-24"],
    "dim(in.Q,0) == dim(in.K,0) and dim(in.Q,0) == dim(in.V,0)": ["Attention-23", "Attention-24"],
    "rank(in.K) == 4 => dim(in.K,1) == dim(in.V,1)": ["Attention-23", "Attention-24"],
    "rank(in.Q) == 4 => dim(in.Q,3) == dim(in.K,3)": ["Attention-23", "Attention-24"],
    "rank(in.Q) == 3 and has(attr.q_num_heads) and has(attr.kv_num_heads) => "
    "dim(in.Q,2) * attr.kv_num_heads == dim(in.K,2) * attr.q_num_heads":
        ["Attention-23", "Attention-24"],
    "rank(in.attn_mask) == 4 => dim(in.attn_mask,0) == 1 or dim(in.attn_mask,0) == dim(in.Q,0)":
        ["Attention-23", "Attention-24"],
    "bcast_to(in.B, in.X)": ["LayerNormalization-17"],
    "bcast_to(in.Scale, in.X)": ["LayerNormalization-17"],
    "bcast_to(in.scale, in.X)": ["RMSNormalization-23"],
}

# What the collection has otherwise than the operator's definition.
MENDED = {
    ("ai.onnx.ml:TreeEnsemble-5", "nodes_hitrates"):
        {"tensor": {"size": "len(attr.nodes_featureids)"}, "tensor_dtype": [TYPES["FLOAT"]]},
}

# Versions in preparation, of which the collection says nothing: what holds of the version before.
UNRELEASED = {"Celu-12": ["Celu-28"]}

rows = {}
left_out = {}


def understood(expression):
    text = re.sub(r"'[^']*'", "", str(expression))
    for word in re.findall(r"(?<![.\w])[A-Za-z_]\w*", text):
        if word not in FUNCTIONS | WORDS:
            return False
    # An element of a variadic list, chosen by another, has no place in the language.
    return "[N+i]" not in text


def with_numbers(expression):
    """Names of element types as their numbers."""
    text = str(expression)
    parts = re.split(r"('[^']*')", text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"\bFLOATS\b", "[1, 10, 11, 16]", parts[i])
        parts[i] = re.sub(r"(?<![.\w])(" + "|".join(TYPES) + r")\b",
                          lambda m: str(TYPES[m.group(1)]), parts[i])
        parts[i] = parts[i].replace("{", "[").replace("}", "]")
    return "".join(parts)


def add(op, certain, **fact):
    for key in ("is", "of", "min", "max", "unless"):
        if key in fact:
            fact[key] = with_numbers(fact[key])
            if not understood(fact[key]):
                left_out[fact[key]] = left_out.get(fact[key], 0) + 1
                return
    if not certain:
        fact["advice"] = True
    text = json.dumps(fact)
    rows.setdefault(text, (fact, []))[1].extend([op, *UNRELEASED.get(op, [])])


def bound(fact, limits):
    """min/max of a range; exclusive bounds say so."""
    for key, name in (("min", "min"), ("xmin", "above"), ("max", "max"), ("xmax", "below")):
        if key in limits:
            fact[name] = str(limits[key])
    return fact


def is_certain(source, key):
    said = source.get(key, "D") if isinstance(source, dict) else source
    return said in ("D", "DI", "I", "T")


def facts_of(op, name, facts, kind):
    subject = f"{kind}.{name}"
    src = facts.get("src", {})
    unless = facts.get("ignored_when")
    if unless == "true":
        return

    def state(key, certain=True, **fact):
        if unless is not None:
            fact["unless"] = unless
        add(op, certain and is_certain(src, key), on=subject, **fact)

    if "values" in facts:
        types = {"types": True} if facts.get("values_are") == "TensorProto.DataType" else {}
        state("values", values=facts["values"] + facts.get("values_tolerated", []), **types)
    for key in ("range", "elem"):
        limits = facts.get(key)
        if not limits or limits.get("clamped") or "or_equal" in limits:
            continue
        if set(limits) & {"min", "max", "xmin", "xmax"}:
            state(key, **bound({}, limits))
        if "not" in limits:
            state(key, **{"is": f"not contains({limits['not']}, "
                          f"{subject if kind == 'attr' else f'val({subject})'})"})
    if "length" in facts and "may_be_empty" not in facts:
        state("length", length=True, **{"is": str(facts["length"])})
    if "length_max" in facts:
        state("length_max", **{"is": f"len({subject}) <= {facts['length_max']}"})
    if "length_min" in facts:
        state("length_min", **{"is": f"len({subject}) >= {facts['length_min']}"})
    if "length_in" in facts:
        state("length_in", **{"is": f"contains([{', '.join(map(str, facts['length_in']))}], len({subject}))"})
    if "axis_of" in facts:
        axis = facts["axis_of"]
        if not axis["of"].startswith("elem("):
            state("axis_of", axis_of=axis["of"], min=axis["min"], max=axis["max"])
    distinct_of = facts.get("axis_of", {}).get("of", "")
    if facts.get("permutation"):
        state("permutation", permutation_of=distinct_of)
    elif facts.get("unique"):
        state("unique", facts.get("unique_sev", "E") == "E", distinct=distinct_of or True)
    if "equals" in facts:
        state("equals", **{"is": f"{subject} == {facts['equals']}"})
    for condition in facts.get("requires", []):
        state("requires", **{"is": condition})
    for condition in facts.get("excludes", []):
        state("excludes", **{"is": f"not ({condition})"})
    if "sum" in facts:
        state("sum", **{"is": f"sum({subject if kind == 'attr' else f'val({subject})'})"
                        f" == {facts['sum']}"})
    for value, most in facts.get("max_count", {}).items():
        state("max_count", **{"is": f"count({subject if kind == 'attr' else f'val({subject})'}, "
                              f"{value}) <= {most}"})
    if "tensor_dtype" in facts:
        state("tensor_dtype", **{"is": f"contains({facts['tensor_dtype']}, dtype({subject}))"})
    tensor = facts.get("tensor", {})
    if "size" in tensor:
        state("tensor", **{"is": f"size({subject}) == {tensor['size']}"})
    if "dtype" in tensor:
        state("tensor", **{"is": f"dtype({subject}) == {tensor['dtype']}"})
    if "rank" in facts:
        expected = facts["rank"]
        if "rank_tolerated" in facts:
            looser = re.sub(r"(?<![.\w])x\b", subject, facts["rank_tolerated"])
            expected = f"({expected}) or ({looser})"
        state("rank", rank=True, **{"is": expected})
    if "size" in facts:
        state("size", **{"is": f"size({subject}) == {facts['size']}"})
    if "size_min" in facts:
        state("size_min", **{"is": f"size({subject}) >= {facts['size_min']}"})
    if "same_shape_as" in facts:
        expected = f"shape({subject}) == shape({facts['same_shape_as']})"
        if "same_shape_tolerated" in facts:
            looser = re.sub(r"(?<![.\w])x\b", subject, facts["same_shape_tolerated"])
            expected = f"({expected}) or ({looser})"
        state("same_shape_as", **{"is": expected})


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        entries = json.load(file)["entries"]
    for entry in entries:
        domain = entry["domain"]
        op = f"{domain}:{entry['op']}-{entry['since_version']}" if domain \
            else f"{entry['op']}-{entry['since_version']}"
        for name, facts in entry.get("attributes", {}).items():
            facts_of(op, name, {**facts, **MENDED.get((op, name), {})}, "attr")
        for name, facts in entry.get("inputs", {}).items():
            facts_of(op, name, facts, "in")
        for rule in entry.get("n_outputs", []) + entry.get("rules", []):
            if rule.get("tests") == "violate" or rule.get("sev") in ("N", "U"):
                continue
            add(op, is_certain(rule["src"], "") and rule.get("sev", "E") == "E",
                **{"is": rule["expr"]})
    for condition, ops in OWN.items():
        for op in ops:
            add(op, True, **{"is": condition})
    lines = []
    for fact, ops in rows.values():
        lines.append("  " + json.dumps({**fact, "ops": sorted(set(ops))}, ensure_ascii=False))
    lines.sort()
    about = ("What the values of attributes and inputs may be where schemas do not say, each fact "
             "with the operator versions whose changelog entry (or whose definition) states it. "
             "'is' must hold; a fact on an attribute or input holds only if that is given; what is "
             "not known breaks nothing. 'r' is the rank of axis_of, or of the input the fact is "
             "on. 'advice': follows from the meaning only, or real models do otherwise.")
    print("{\n \"about\": " + json.dumps(about) + ",\n \"facts\": [\n" + ",\n".join(lines)
          + "\n ]\n}")
    for text, count in sorted(left_out.items()):
        print(f"left out ({count}): {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
