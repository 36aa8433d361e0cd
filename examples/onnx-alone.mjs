// The ONNX parser alone: what is in a model, without running it. `node onnx-alone.mjs model.onnx`
import { demoModelPath } from '@neural-engine/demo-model';
import { readModel } from '@neural-engine/onnx';

const model = await readModel(process.argv[2] ?? demoModelPath());
console.log(`${model.graph.name}: IR version ${model.irVersion}, opset ${model.opsets.get('')}`);
for (const { name, shape } of model.graph.inputs) console.log(`input ${name} [${shape?.join(', ')}]`);
const operators = new Map();
for (const { opType } of model.graph.nodes) operators.set(opType, (operators.get(opType) ?? 0) + 1);
for (const [op, count] of [...operators].sort((a, b) => b[1] - a[1]).slice(0, 5)) console.log(`${count} × ${op}`);
const bytes = [...model.graph.initializers.values()].reduce((sum, tensor) => sum + tensor.bytes().byteLength, 0);
console.log(`${(bytes / 2 ** 20).toFixed(1)} MiB of weights`);
