import { EngineError } from '@neural-engine/core';
import type { IrConfig, IrExtra, IrScalar, IrTensor } from './config';

/** Text of conf.yaml: keys unsorted, lists in flow style, no anchors, as the original writes it. */
export function printConfig(config: IrConfig): string {
  const lines = ['model:', `  name: ${scalarText({ text: config.name, quoted: false })}`, '  operator:'];
  for (const operator of config.operators) {
    lines.push(`    ${key(operator.name)}:`, `      type: ${operator.type}`);
    if (operator.inputs.length > 0) {
      lines.push('      input:');
      for (const input of operator.inputs) lines.push(`        ${key(input)}: {}`);
    }
    if (operator.outputs.length > 0) {
      lines.push('      output:');
      for (const output of operator.outputs) printTensor(output, lines);
    }
    if (operator.attributes) {
      lines.push('      attr:');
      for (const [name, value] of operator.attributes) lines.push(`        ${key(name)}: ${scalarText(value)}`);
    }
  }
  if (config.extra) printExtra(config.extra, lines);
  return `${lines.join('\n')}\n`;
}

function printTensor(tensor: IrTensor, lines: string[]): void {
  const { name, dtype, shape, strides, location } = tensor;
  if (dtype === undefined && !shape && !strides && !location) {
    lines.push(`        ${key(name)}: {}`);
    return;
  }
  lines.push(`        ${key(name)}:`);
  if (dtype !== undefined) lines.push(`          dtype: ${dtype}`);
  for (const [title, list] of [
    ['shape', shape],
    ['strides', strides],
    ['location', location],
  ] as const)
    if (list) lines.push(`          ${title}: [${list.join(', ')}]`);
}

function printExtra(extra: IrExtra, lines: string[]): void {
  lines.push(
    'neural_engine:',
    `  format_version: ${extra.formatVersion}`,
    `  producer: ${scalarText({ text: extra.producer, quoted: false })}`,
    `  weights_digest: ${scalarText({ text: extra.weightsDigest, quoted: true })}`,
    `  weights_bytes: ${extra.weightsBytes}`,
  );
  if (extra.shapes.size > 0) lines.push('  shapes:');
  for (const [name, dims] of extra.shapes) lines.push(`    ${key(name)}: [${dims.map((dim) => flowText(dim)).join(', ')}]`);
}

// What a plain scalar may hold without being taken for something else by any YAML reader.
const PLAIN_KEY = /^[A-Za-z0-9_./](?:[A-Za-z0-9_./+=()<>;|~^$!\- ]|:(?! |$))*$/;
const SPECIAL = /^(?:null|true|false|yes|no|on|off|~|[-+.]?\d.*|\.inf|\.nan)$/i;

/** A key, quoted only where it must be. */
function key(name: string): string {
  return PLAIN_KEY.test(name) && !name.endsWith(' ') ? name : quote(name);
}

function scalarText({ text, quoted }: IrScalar): string {
  if (quoted) return quote(text);
  return /^[A-Za-z0-9_./-][A-Za-z0-9_./+=(), -]*$/.test(text) && !text.endsWith(' ') && !text.startsWith('- ') && text !== '-'
    ? text
    : quote(text);
}

const flowText = (text: string): string =>
  /^[A-Za-z0-9_.+-]+$/.test(text) && !SPECIAL.test(text) ? text : /^\d+$/.test(text) ? text : quote(text);

function quote(text: string): string {
  // Single quotes cannot carry control characters; a name with them is written with escapes.
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(text)) return JSON.stringify(text);
  if (text.includes('\ud800')) throw new EngineError('E_IR', 'save', 'a name holds half a surrogate pair');
  return `'${text.replaceAll("'", "''")}'`;
}
