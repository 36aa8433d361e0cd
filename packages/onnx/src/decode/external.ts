import { fail, quote } from '../errors';
import type { ExternalRange } from '../external/store';
import type { onnx } from '../generated/onnx.js';
import type { Place } from '../place';
import type { DecodeContext } from './context';

const KNOWN_KEYS = new Set(['location', 'offset', 'length', 'checksum']);

/** Reads a decimal count exactly. @throws {EngineError} E_MODEL not a plain decimal number, or beyond exact integers. */
function toCount(text: string | undefined, key: string, where: Place): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    fail('E_MODEL', 'check', where, `external_data ${key} ${quote(text)} is not a possible number of bytes`);
  return value;
}

/**
 * Finds and checks the bytes of an external tensor, without reading them.
 *
 * @param needed bytes that dtype and dims call for.
 * @throws {EngineError} E_PATH by the path rules or where the model has no folder; E_MODEL for impossible ranges.
 */
export function externalReference(
  message: onnx.TensorProto.$Properties,
  needed: number,
  context: DecodeContext,
  where: Place,
): ExternalRange {
  const entries = new Map<string, string>();
  for (const { key, value } of message.externalData ?? []) {
    const known = KNOWN_KEYS.has(key ?? '');
    if (!known) context.warnings.push(`${where}: the external_data key ${quote(key ?? '')} is unknown and ignored`);
    else if (entries.has(key!)) fail('E_MODEL', 'check', where, `the external_data key ${quote(key!)} appears twice`);
    else entries.set(key!, value ?? '');
  }
  if (context.external === undefined) {
    fail(
      'E_PATH',
      'check',
      where,
      'lies in another file, and a model read from bytes has no folder to look in; give the option "directory"',
    );
  }
  const offset = toCount(entries.get('offset'), 'offset', where) ?? 0;
  const length = toCount(entries.get('length'), 'length', where);
  if (length !== undefined && length !== needed) {
    fail('E_MODEL', 'check', where, `dtype and dims need ${needed} bytes, external_data says ${length}`);
  }
  const range = context.external.range(entries.get('location') ?? '', offset, length, where);
  if (range.length !== needed) {
    fail(
      'E_MODEL',
      'check',
      where,
      `dtype and dims need ${needed} bytes, ${quote(range.location)} has ${range.length} from offset ${offset}`,
    );
  }
  return range;
}
