import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as kernels from './index';

it('the example of the README prints what it says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n(.*?)```/s.exec(readme)![1]!;
  const imports = /^import \{ (.*) \} from '@neural-engine\/kernels';$/m;
  const printed: string[] = [];
  const run = new Function('kernels', 'console', `const { ${imports.exec(code)![1]} } = kernels;\n${code.replace(imports, '')}`) as (
    library: typeof kernels,
    log: object,
  ) => void;
  run(kernels, { log: (...values: unknown[]) => printed.push(values.join(' ')) });
  expect(printed).toEqual([kernels.isa().tier, '3 130']);
});
