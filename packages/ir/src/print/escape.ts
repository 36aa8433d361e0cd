import { formatShape, type Shape, type Tensor } from '@neural-engine/core';
import type { AttributeValue, Value } from '../graph';

/** Names and values of a file as they are safe to print: no control characters, no right-to-left marks, not endless. */

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const MAX_LENGTH = 120;

/** Text from a file for one line of output. */
export function printable(text: string): string {
  const short = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
  return short.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `f32 [batch, 128]`. */
export const typeText = (value: Pick<Value, 'dtype' | 'shape'>): string => `${value.dtype} ${shapeText(value.shape)}`;

export const shapeText = (shape: Shape | undefined): string => (shape ? printable(formatShape(shape)) : '[…]');

/** A constant in a few characters: its elements when there are up to four, else its type. */
export function constantText(tensor: Tensor): string {
  const count = tensor.data.length;
  if (count === 0 || count > 4 || tensor.dims.length > 1 || tensor.dtype === 'f16' || tensor.dtype === 'bf16') {
    return `${tensor.dtype}${formatShape(tensor.dims)}`;
  }
  const elements = Array.from(tensor.data as ArrayLike<number | bigint>, (element) =>
    tensor.dtype === 'bool' ? String(element !== 0) : typeof element === 'bigint' ? String(element) : shortNumber(element),
  );
  return tensor.dims.length === 0 ? elements[0]! : `[${elements.join(', ')}]`;
}

/** Seven significant digits: all that an f32 has. */
const shortNumber = (value: number): string => (Number.isSafeInteger(value) ? String(value) : String(Number(value.toPrecision(7))));

/** An attribute's value in a few characters. */
export function attributeText(value: AttributeValue): string {
  if (typeof value === 'number') return shortNumber(value);
  if (typeof value === 'string') return printable(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${printable(value.slice(0, 8).join(', '))}${value.length > 8 ? ', …' : ''}]`;
  return constantText(value as Tensor);
}
