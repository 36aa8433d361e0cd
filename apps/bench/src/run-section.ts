import { writeFileSync } from 'node:fs';
import { Models } from './models';
import { SECTIONS } from './sections/index';

// One process of a section: NAME RUN FOLDER QUICK RESULT.
const [name, run, folder, quick, result] = process.argv.slice(2);
const spec = SECTIONS.find((section) => section.name === name)!;
const started = Date.now();
const step = (text: string): void => {
  process.stderr.write(`  ${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
};
const sections = await spec.runs[Number(run)]!.run({ quick: quick === 'true', models: new Models(folder!), step });
writeFileSync(result!, JSON.stringify(sections));
// ONNX Runtime and idle sessions may hold the event loop.
process.exit(0);
