import { baseModelFile, encoderSections } from './encoders';
import { writeRecord } from './record';
import { costSection } from './runtime-costs';

// `pnpm bench [rounds]`: reruns the tables of the README and keeps a record of them.
const rounds = Number(process.argv[2] ?? 30);
const sections = [await costSection(await baseModelFile()), ...(await encoderSections(rounds))];
process.stdout.write(`${writeRecord(sections)}\n`);
