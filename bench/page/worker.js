// The Web Worker that measures this project and TensorFlow.js, in sequence in each round.
//
// It is a classic worker because TensorFlow.js has classic scripts. The Wasm module is imported dynamically.

/** Duration of a sample: long compared with the clock's resolution of 0.1 ms. */
const SAMPLE_MS = 150;
/** Relative tolerance of derivatives. */
const TOLERANCE = 1e-4;

/** The measured steps: name, a function of the minibatch, and steps in a sample. */
const contenders = [];

const functions = { prepare, round };

self.onmessage = async ({ data: { call, name, values } }) => {
  try {
    postMessage({ call, result: await functions[name](...values) });
  } catch (error) {
    postMessage({ call, error: `${error?.stack ?? error}` });
  }
};

/** Loads all contenders, verifies that their gradients agree, and warms up. */
async function prepare(withPeers) {
  const { default: init, Steps } = await import('./pkg/farsign_bench_page.js');
  await init();
  const files = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'];
  const [images, labels] = await Promise.all(files.map(download));
  const steps = new Steps(images, labels);
  const batches = steps.batches();

  const fingerprints = [];
  const expected = [];
  for (let batch = 0; batch < batches; batch++) {
    const loss = steps.sparse(batch);
    fingerprints.push(steps.fingerprint());
    expected.push({ loss, gradient: steps.gradient() });
  }
  const agree = (name, step) => expected.forEach((wanted, batch) => compare(name, wanted, step(batch)));

  add('sparse', (batch) => steps.sparse(batch));
  add('update', (batch) => {
    if (!steps.update(batch)) throw new Error('there is no update');
  });
  agree('ndarray', (batch) => ({ loss: steps.ndarray(batch), gradient: steps.gradient() }));
  add('ndarray', (batch) => steps.ndarray(batch));

  const peer = withPeers ? await preparePeer(steps, agree) : null;
  return { fingerprints, peer };
}

async function preparePeer(steps, agree) {
  importScripts('npm/@tensorflow/tfjs/dist/tf.min.js');
  importScripts('npm/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js', 'tensorflow.js');
  const { flags, autodiff, arranged } = await tensorflow(steps);
  for (const { name, step } of [autodiff, ...arranged]) agree(name, step);
  const forms = arranged.map(({ name, step }) => ({ name, step, ms: roughDuration(step) }));
  const best = forms.reduce((a, b) => (b.ms < a.ms ? b : a));
  add('tfjs-autodiff', autodiff.step);
  add('tfjs-arranged', best.step);
  return { flags, best: best.name, forms: forms.map(({ name, ms }) => ({ name, ms })) };
}

/** Returns one sample of each contender, in milliseconds for a step. */
function round() {
  return Object.fromEntries(contenders.map(({ name, step, count }) => [name, timed(step, count)]));
}

/** Adds a contender with the number of steps that fill a sample. */
function add(name, step) {
  const count = Math.min(Math.max(Math.ceil(SAMPLE_MS / roughDuration(step)), 3), 200);
  contenders.push({ name, step, count });
}

/** Returns a rough duration of a step in milliseconds, after a warm-up. */
function roughDuration(step) {
  timed(step, 4);
  return timed(step, 4);
}

function timed(step, count) {
  const started = performance.now();
  for (let index = 0; index < count; index++) step(index);
  return (performance.now() - started) / count;
}

function compare(name, wanted, found) {
  const close = (a, b, scale) => Math.abs(a - b) <= TOLERANCE * Math.abs(b) + 1e-6 * scale;
  if (!close(found.loss, wanted.loss, 0)) throw new Error(`${name}: the loss is ${found.loss}, ours ${wanted.loss}`);
  const [theirs, ours] = [found.gradient, wanted.gradient];
  if (theirs.length !== ours.length) throw new Error(`${name}: ${theirs.length} derivatives, ours ${ours.length}`);
  const largest = ours.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
  const wrong = ours.findIndex((g, index) => !close(theirs[index], g, largest));
  if (wrong >= 0) throw new Error(`${name}: derivative ${wrong} is ${theirs[wrong]}, ours ${ours[wrong]}`);
}

async function download(name) {
  const response = await fetch(`data/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
