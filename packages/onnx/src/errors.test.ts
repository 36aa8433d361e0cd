import { expect, it } from 'vitest';
import { decodeModel } from './decode-model';
import { quote } from './errors';
import { refusal } from './testing/errors';
import { wire } from './testing/wire';

it('shows names from files without letting them write to the terminal, and not in full where they are long', () => {
  expect(quote('a\u001b[31m\n"\u009b\u202e')).toBe('"a\\u001b[31m\\n\\"\\u009b\\u202e"');
  expect(quote('x'.repeat(300))).toHaveLength(203);
  const { message } = refusal('E_MODEL', () => decodeModel(wire.model(wire.node('Re\u001blu', ['\u001b[2J'], ['Y']))));
  expect(message).toBe('node (Re\\u001blu, output "Y"): uses "\\u001b[2J", which nothing makes');
});
