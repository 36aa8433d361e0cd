import type { Limits } from '@neural-engine/core';
import { fail, quote } from '../errors';
import type { ExternalStore } from '../external/store';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toSafeNumber } from '../long';
import type { Place } from '../place';

/** What the conversion of one file shares between its parts. */
export interface DecodeContext {
  limits: Limits;
  /** Undefined when the model has no folder, so that external data is refused. */
  external: ExternalStore | undefined;
  warnings: string[];
  /** Bytes of all tensors so far, aliases counted each time. */
  weightBytes: number;
}

const looseDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** Human text: a broken encoding shows as replacement characters. */
export const looseText = (bytes: Uint8Array): string => (bytes.byteLength === 0 ? '' : looseDecoder.decode(bytes));

/** The text, or undefined where the bytes are not UTF-8. */
export function strictText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** True where the file holds the field, even with its default value. */
export const has = <T extends object>(message: T, field: keyof T): boolean => Object.hasOwn(message, field) && message[field] != null;

/** Converts string pairs to a Map. @throws {EngineError} E_MODEL a key twice. */
export function toMap(entries: readonly onnx.StringStringEntryProto.$Properties[] | null | undefined, where: Place): Map<string, string> {
  const map = new Map<string, string>();
  for (const { key, value } of entries ?? []) {
    if (map.has(key ?? '')) fail('E_MODEL', 'check', where, `the key ${quote(key ?? '')} appears twice`);
    map.set(key ?? '', value ?? '');
  }
  return map;
}

/** Documentation and annotations of an item, left out where the file has none. */
export interface Notes {
  docString?: string;
  metadata?: Map<string, string>;
}

/** Converts the fields that most messages share. @throws {EngineError} E_MODEL a metadata key twice. */
export function toNotes(
  message: { docString?: Uint8Array | null; metadataProps?: readonly onnx.StringStringEntryProto.$Properties[] | null },
  where: Place,
): Notes {
  const notes: Notes = {};
  if (message.docString?.byteLength) notes.docString = looseText(message.docString);
  if (message.metadataProps?.length) notes.metadata = toMap(message.metadataProps, where.at('metadata_props'));
  return notes;
}

/** Domain → version, with `ai.onnx` written as the empty domain. @throws {EngineError} E_MODEL a domain with two versions. */
export function toOpsets(imports: readonly onnx.OperatorSetIdProto.$Properties[] | null | undefined, where: Place): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const entry of imports ?? []) {
    const domain = normalizeDomain(entry.domain ?? '');
    const version = toSafeNumber(
      (entry.version as Long64 | null | undefined) ?? { low: 0, high: 0, unsigned: false },
      'E_MODEL',
      where.at('opset_import of', domain),
    );
    const known = opsets.get(domain);
    if (known !== undefined && known !== version) {
      fail('E_MODEL', 'check', where, `opset_import names domain ${quote(domain || 'ai.onnx')} with versions ${known} and ${version}`);
    }
    opsets.set(domain, version);
  }
  return opsets;
}

/** `ai.onnx` and the empty domain are one. */
export const normalizeDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);
