import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as ir from './index';

it('the example of the README prints what it says', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n(.*?)```/s.exec(readme)![1]!;
  const promised = [...code.matchAll(/^\/\/ (.*)$/gm)].map((match) => match[1]);
  const imports = /^import \{ (.*) \} from '@neural-engine\/ir';$/m;
  const names = imports.exec(code)![1]!;
  const printed: unknown[] = [];
  const run = new Function('ir', 'console', `const { ${names} } = ir;\n${code.replace(imports, '')}`) as (
    library: typeof ir,
    log: object,
  ) => void;
  run(ir, { log: (value: unknown) => printed.push(value) });
  expect(String(printed[0]).trimEnd().split('\n')).toEqual(promised);
  expect(printed[1]).toEqual([8, 2]);
});
