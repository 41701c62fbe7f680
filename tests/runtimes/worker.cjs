// node worker.cjs RUNTIME MODE LIST OUT
// RUNTIME: a folder with an onnxruntime-node in node_modules. LIST: lines NAME<TAB>MODEL<TAB>CASE.
// MODE draw: loads MODEL, draws inputs from its declared types, runs it, writes inputs and outputs to
// CASE. MODE check: loads MODEL, runs it on the inputs of CASE, compares with the outputs there.
// MODE beside: as check, with the outputs of ORIGINAL (LIST: a fourth column) in this same runtime.
// One JSON line a model in OUT: {name, verdict, why}; names that are there already are left out.
'use strict';
const fs = require('fs');
const path = require('path');

const [, , runtime, mode, list, out] = process.argv;
const ort = require(path.join(path.resolve(runtime), 'node_modules', 'onnxruntime-node'));
// Optimised graphs may round differently in every release.
const options = {graphOptimizationLevel: 'disabled', logSeverityLevel: 4, intraOpNumThreads: 1,
                 interOpNumThreads: 1};
const ARRAYS = {float32: Float32Array, float64: Float64Array, int32: Int32Array,
                uint32: Uint32Array, int16: Int16Array, uint16: Uint16Array, int8: Int8Array,
                uint8: Uint8Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
                float16: Uint16Array};
const OPEN_SIZES = [1, 2, 4, 16, 3];

let state = 1;
function random() {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return state / 0x7fffffff;
}

function draw(meta, size) {
  if (!meta.isTensor) throw new Error('an input that is no tensor');
  const dims = meta.shape.map(d => (typeof d === 'number' && d >= 0 ? d : size));
  const count = dims.reduce((a, b) => a * b, 1);
  if (count > 2e7) throw new Error('an input is too large');
  if (meta.type === 'string') {
    return new ort.Tensor('string', Array.from({length: count}, (_, i) => 'ab'[i % 2]), dims);
  }
  if (!ARRAYS[meta.type]) throw new Error('inputs of type ' + meta.type + ' cannot be given');
  const data = new ARRAYS[meta.type](count);
  const big = meta.type === 'int64' || meta.type === 'uint64';
  for (let i = 0; i < count; ++i) {
    if (big) data[i] = BigInt(Math.floor(random() * 2));
    else if (meta.type === 'float16') data[i] = 0x3000 + Math.floor(random() * 0xbff);
    else if (meta.type.startsWith('float')) data[i] = random() * 2 - 0.5;
    else data[i] = Math.floor(random() * 2);
  }
  return new ort.Tensor(meta.type, data, dims);
}

function packed(tensor) {
  const data = tensor.type === 'string' ? Array.from(tensor.data)
    : Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString('base64');
  return {type: tensor.type, dims: Array.from(tensor.dims), data};
}

function unpacked(value) {
  if (value.type === 'string') return new ort.Tensor('string', value.data, value.dims);
  const bytes = Buffer.from(value.data, 'base64');
  const copy = new Uint8Array(bytes).buffer;
  return new ort.Tensor(value.type, new ARRAYS[value.type](copy), value.dims);
}

function half(h) {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity)
                         : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Why two tensors differ; '' if they agree within 1e-4 of the largest magnitude.
function difference(a, b) {
  if (a.type !== b.type) return `type ${a.type} became ${b.type}`;
  if (a.dims.join() !== b.dims.join()) return `dims [${a.dims}] became [${b.dims}]`;
  const number = a.type === 'float16' ? half : Number;
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < a.data.length; ++i) {
    if (a.data[i] === b.data[i]) continue;
    if (a.type === 'string') return `"${a.data[i]}" became "${b.data[i]}"`;
    const x = number(a.data[i]);
    const y = number(b.data[i]);
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (!(Math.abs(x - y) < Infinity)) return `${x} became ${y}`;
    worst = Math.max(worst, Math.abs(x - y));
  }
  if (worst === 0) return '';
  for (let i = 0; i < a.data.length; ++i) {
    const x = Math.abs(number(a.data[i]));
    if (x < Infinity) largest = Math.max(largest, x);
  }
  const allowed = (a.type === 'float16' ? 1e-2 : 1e-4) * Math.max(largest, 1e-6);
  return worst <= allowed ? '' : `differs by ${worst}, the largest being ${largest}`;
}

async function drawn(session, file) {
  let why = '';
  for (const size of OPEN_SIZES) {
    state = 7;
    const inputs = {};
    for (const meta of session.inputMetadata) inputs[meta.name] = draw(meta, size);
    try {
      const outputs = await session.run(inputs);
      const kept = {inputs: {}, outputs: []};
      for (const name of Object.keys(inputs)) kept.inputs[name] = packed(inputs[name]);
      for (const name of session.outputNames) {
        if (!outputs[name].data) throw new Error('an output that is no tensor');
        kept.outputs.push(packed(outputs[name]));
      }
      fs.writeFileSync(file, JSON.stringify(kept));
      return {verdict: 'ran', why: ''};
    } catch (error) {
      why = String(error.message).slice(0, 200);
    }
  }
  return {verdict: 'rejects', why};
}

// Bindings before 1.19 neither take nor give float16, whatever the runtime below them computes.
function isUnfed(kept, error) {
  const used = Object.values(kept.inputs).concat(kept.outputs);
  return used.some(value => value.type === 'float16') &&
    /float16|Error in native callback|Invalid argument/.test(String(error.message));
}

async function outputsOf(session, kept) {
  const inputs = {};
  for (const name of session.inputNames) {
    if (kept.inputs[name]) inputs[name] = unpacked(kept.inputs[name]);
  }
  const outputs = await session.run(inputs);
  return session.outputNames.map(name => outputs[name]);
}

function compared(expected, got) {
  for (let i = 0; i < got.length; ++i) {
    const why = difference(expected[i], got[i]);
    if (why) return {verdict: 'differs', why: `output ${i}: ${why}`};
  }
  return {verdict: 'agrees', why: ''};
}

async function checked(session, file) {
  const kept = JSON.parse(fs.readFileSync(file, 'utf8'));
  try {
    const got = await outputsOf(session, kept);
    return compared(kept.outputs.map(unpacked), got);
  } catch (error) {
    return {verdict: isUnfed(kept, error) ? 'unfed' : 'fails',
            why: String(error.message).slice(0, 200)};
  }
}

async function beside(session, file, original) {
  const kept = JSON.parse(fs.readFileSync(file, 'utf8'));
  const theirs = await ort.InferenceSession.create(original, options);
  let expected = null;
  let why = '';
  try {
    expected = await outputsOf(theirs, kept);
  } catch (error) {
    why = String(error.message).slice(0, 200);
  }
  let got;
  try {
    got = await outputsOf(session, kept);
  } catch (error) {
    return expected === null ? {verdict: 'agrees', why: `both fail: ${why}`}
                             : {verdict: 'fails', why: String(error.message).slice(0, 200)};
  }
  if (expected === null) return {verdict: 'differs', why: `the original fails: ${why}`};
  return compared(expected, got);
}

async function main() {
  const done = new Set();
  if (fs.existsSync(out)) {
    for (const line of fs.readFileSync(out, 'utf8').split('\n')) {
      if (line) done.add(JSON.parse(line).name);
    }
  }
  for (const line of fs.readFileSync(list, 'utf8').split('\n')) {
    const [name, model, file, original] = line.split('\t');
    if (!model || done.has(name)) continue;
    // If the runtime crashes, this line is what stays.
    fs.writeFileSync(out + '.current', name);
    let result;
    try {
      const session = await ort.InferenceSession.create(model, options);
      try {
        if (mode === 'draw') result = await drawn(session, file);
        else if (mode === 'beside') result = await beside(session, file, original);
        else result = await checked(session, file);
      } catch (error) {
        result = {verdict: 'rejects', why: String(error.message).slice(0, 200)};
      }
    } catch (error) {
      result = {verdict: 'does not load', why: String(error.message).slice(0, 200)};
    }
    fs.appendFileSync(out, JSON.stringify({name, ...result}) + '\n');
  }
  process.exit(0);
}

main();
