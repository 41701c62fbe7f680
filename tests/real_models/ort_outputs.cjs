// node ort_outputs.cjs ORT_FOLDER MODEL OUT_FOLDER: runs a model once in onnxruntime-node (one
// thread, graph optimisations off) on random inputs drawn from its declared types, and writes
// input_K.npy and output_K.npy. Open dims are tried with several sizes. Prints "ok", or why not.
'use strict';
const fs = require('fs');
const path = require('path');
const [, , folder, model, out] = process.argv;
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array, uint32: Uint32Array,
  int16: Int16Array, uint16: Uint16Array, int8: Int8Array, uint8: Uint8Array,
  int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array, float16: Uint16Array,
};
const KINDS = {
  float32: '<f4', float64: '<f8', int32: '<i4', uint32: '<u4', int16: '<i2', uint16: '<u2',
  int8: '|i1', uint8: '|u1', int64: '<i8', uint64: '<u8', bool: '|b1', float16: '<f2',
};

let seed = 7;
const random = () => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};

/// Open dims get the size, but one in front (a batch) stays small.
function draw(meta, size) {
  const dims = meta.shape.map((d, i) => (typeof d === 'number' && d >= 0 ? d : i === 0 && size > 16 ? 2 : size));
  const count = dims.reduce((a, b) => a * b, 1);
  if (count > 2e7) throw new Error('input too big');
  if (meta.type === 'string') {
    return new ort.Tensor('string', Array.from({ length: count }, (_, i) => 'ab'[i % 2]), dims);
  }
  const values = new ARRAYS[meta.type](count);
  for (let i = 0; i < count; ++i) {
    const r = random();
    if (typeof values[0] === 'bigint') values[i] = BigInt(Math.floor(r * 2));
    else if (meta.type === 'float16') values[i] = 0x3000 + Math.floor(r * 0xbff);
    else values[i] = meta.type.startsWith('float') ? r * 2 - 0.5 : Math.floor(r * 2);
  }
  return new ort.Tensor(meta.type, values, dims);
}

function npy(tensor) {
  let descr = KINDS[tensor.type];
  let bytes;
  if (tensor.type === 'string') {
    const texts = tensor.data.map((s) => Array.from(s));
    const length = Math.max(1, ...texts.map((t) => t.length));
    bytes = Buffer.alloc(4 * length * texts.length);
    texts.forEach((t, i) => t.forEach((c, k) => bytes.writeUInt32LE(c.codePointAt(0), 4 * (i * length + k))));
    descr = `<U${length}`;
  } else {
    bytes = Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  }
  const shape = tensor.dims.map((d) => `${d},`).join(' ');
  const header = Buffer.from(`{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`);
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([head, header, bytes]);
}

(async () => {
  const session = await ort.InferenceSession.create(model, {
    graphOptimizationLevel: 'disabled', logSeverityLevel: 4, intraOpNumThreads: 1, interOpNumThreads: 1,
  });
  let error;
  for (const size of [64, 4, 16, 2, 1, 3]) {
    try {
      seed = 7;
      const feed = {};
      for (const meta of session.inputMetadata) {
        if (!meta.isTensor) throw new Error('an input that is no tensor');
        feed[meta.name] = draw(meta, size);
      }
      const results = await session.run(feed);
      session.inputNames.forEach((name, i) => fs.writeFileSync(path.join(out, `input_${i}.npy`), npy(feed[name])));
      session.outputNames.forEach((name, i) => fs.writeFileSync(path.join(out, `output_${i}.npy`), npy(results[name])));
      console.log('ok');
      return;
    } catch (e) {
      error = e;
    }
  }
  throw error;
})().catch((e) => console.log(String(e.message).replace(/\s+/g, ' ').slice(0, 200)));
