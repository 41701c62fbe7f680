// node ort_times.cjs FOLDER MODEL RUNS: the same for onnxruntime-node as installed in FOLDER, one
// thread, graph optimisations off; the process's own time. With PROFILE=1 also the milliseconds of each
// operator (by the wall).
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const [, , folder, model, runs] = process.argv;
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));

function drawn(input) {
  const count = input.shape.reduce((a, b) => a * b, 1);
  if (input.type === 'int64') {
    return new ort.Tensor('int64', BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 2)), input.shape);
  }
  return new ort.Tensor('float32', Float32Array.from({ length: count }, () => Math.random() * 2 - 0.75), input.shape);
}

(async () => {
  const prefix = path.join(os.tmpdir(), `ort_times_${process.pid}`);
  const options = {
    graphOptimizationLevel: 'disabled', executionMode: 'sequential', intraOpNumThreads: 1,
    interOpNumThreads: 1, logSeverityLevel: 4,
  };
  const feed = {};
  const measure = async (count, extra) => {
    const session = await ort.InferenceSession.create(model, { ...options, ...extra });
    for (const input of session.inputMetadata) feed[input.name] ??= drawn(input);
    let least = Infinity;
    for (let i = 0; i <= count; ++i) {
      const start = process.cpuUsage();
      await session.run(feed);
      const used = process.cpuUsage(start);
      const took = (used.user + used.system) / 1e3;
      if (i > 0) least = Math.min(least, took);
    }
    if (extra.enableProfiling) session.endProfiling();
    await session.release();
    return least;
  };
  console.log((await measure(Number(runs), {})).toFixed(3));
  if (!process.env.PROFILE) return;
  await measure(1, { enableProfiling: true, profileFilePrefix: prefix });
  const folderOf = path.dirname(prefix);
  const files = fs.readdirSync(folderOf).filter((f) => f.startsWith(path.basename(prefix)));
  const times = new Map();
  for (const file of files) {
    for (const event of JSON.parse(fs.readFileSync(path.join(folderOf, file), 'utf8'))) {
      if (event.cat !== 'Node' || !event.name.endsWith('_kernel_time')) continue;
      const op = event.args.op_name;
      times.set(op, (times.get(op) ?? 0) + event.dur / 2000); // two runs
    }
    fs.unlinkSync(path.join(folderOf, file));
  }
  for (const [op, time] of [...times].sort((a, b) => b[1] - a[1])) console.log(`${op} ${time.toFixed(3)}`);
})().catch((e) => { console.error(e.message); process.exit(1); });
