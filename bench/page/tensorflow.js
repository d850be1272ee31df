// The gradient step with TensorFlow.js: with automatic differentiation, and with manual derivatives.
//
// Images, one-hot labels and parameters are tensors before the clock starts. Every form reads its gradient back into
// JavaScript, because a volunteer sends data derived from it.

/** Returns all forms on the minibatches of `steps`: a name, and a function from a minibatch to loss and gradient. */
async function tensorflow(steps) {
  tf.wasm.setWasmPaths('npm/@tensorflow/tfjs-backend-wasm/dist/');
  if (!await tf.setBackend('wasm')) throw new Error('TensorFlow.js has no wasm backend here');
  await tf.ready();
  const flags = {
    simd: await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'),
    threads: await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT'),
  };
  const model = parameters(steps);
  const batches = Array.from({ length: steps.batches() }, (_, index) => minibatch(steps, index));
  const on = (step) => (index) => tf.tidy(() => step(model, batches[index % batches.length]));
  const arranged = [];
  for (const fused of [false, true]) {
    for (const transposing of Object.keys(TRANSPOSING)) {
      const name = `${fused ? 'fused' : 'separate'} bias and relu, ${transposing}`;
      arranged.push({ name, step: on(byHand(fused, TRANSPOSING[transposing])) });
    }
  }
  return { flags, arranged, autodiff: { name: 'autodiff', step: on(byAutodiff) } };
}

function parameters(steps) {
  const x = steps.parameters();
  let start = 0;
  const next = (shape, name) => {
    const count = shape.reduce((a, b) => a * b);
    start += count;
    return tf.variable(tf.tensor(x.subarray(start - count, start), shape), true, name);
  };
  return { w1: next([784, 128], 'w1'), b1: next([128], 'b1'), w2: next([128, 10], 'w2'), b2: next([10], 'b2') };
}

function minibatch(steps, index) {
  const images = tf.tensor(steps.images(index), [steps.batch_size(), 784]);
  const onehot = tf.oneHot(tf.tensor1d(steps.labels(index), 'int32'), 10).toFloat();
  return { images, onehot, turned: images.transpose() };
}

function byAutodiff({ w1, b1, w2, b2 }, { images, onehot }) {
  const { value, grads } = tf.variableGrads(() => {
    const hidden = images.matMul(w1).add(b1).relu();
    return tf.losses.softmaxCrossEntropy(onehot, hidden.matMul(w2).add(b2)).asScalar();
  }, [w1, b1, w2, b2]);
  return read(value, [grads.w1, grads.b1, grads.w2, grads.b2]);
}

/** Methods to multiply by a transposed matrix. */
const TRANSPOSING = {
  'matMul transposes': {
    images: ({ images }, right) => tf.matMul(images, right, true, false),
    left: (left, right) => tf.matMul(left, right, true, false),
    right: (left, right) => tf.matMul(left, right, false, true),
  },
  'transposed before matMul': {
    images: ({ images }, right) => tf.matMul(images.transpose(), right),
    left: (left, right) => tf.matMul(left.transpose(), right),
    right: (left, right) => tf.matMul(left, right.transpose()),
  },
  'transposed before matMul, images in advance': {
    images: ({ turned }, right) => tf.matMul(turned, right),
    left: (left, right) => tf.matMul(left.transpose(), right),
    right: (left, right) => tf.matMul(left, right.transpose()),
  },
  'transposed before matMul, images on the right': {
    images: ({ images }, right) => tf.matMul(right.transpose(), images).transpose(),
    left: (left, right) => tf.matMul(left.transpose(), right),
    right: (left, right) => tf.matMul(left, right.transpose()),
  },
};

function byHand(fused, times) {
  const dense = (a, b, bias, relu) => {
    if (fused) return tf.fused.matMul({ a, b, bias, activation: relu ? 'relu' : 'linear' });
    const z = tf.matMul(a, b).add(bias);
    return relu ? z.relu() : z;
  };
  return ({ w1, b1, w2, b2 }, batch) => {
    const hidden = dense(batch.images, w1, b1, true);
    const likely = tf.softmax(dense(hidden, w2, b2, false));
    const loss = likely.mul(batch.onehot).sum(1).log().mean().neg();
    const dz2 = likely.sub(batch.onehot).mul(1 / batch.onehot.shape[0]);
    const dz1 = times.right(dz2, w2).mul(hidden.step());
    return read(loss, [times.images(batch, dz1), dz1.sum(0), times.left(hidden, dz2), dz2.sum(0)]);
  };
}

/** Returns the loss and the gradient as JavaScript values. */
function read(loss, tensors) {
  const parts = tensors.map((tensor) => tensor.dataSync());
  return {
    loss: loss.dataSync()[0],
    get gradient() { // copied only for comparisons
      const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
      parts.reduce((start, part) => (whole.set(part, start), start + part.length), 0);
      return whole;
    },
  };
}
