import type { onnx } from '../generated/onnx.js';
import { fromBigInt } from '../long';

const encoder = new TextEncoder();

/** The fields that hold human text and annotations, left out where empty. */
export interface Notes {
  docString?: Uint8Array;
  metadataProps?: onnx.StringStringEntryProto.$Properties[];
}

export const encodeMap = (map: ReadonlyMap<string, string>): onnx.StringStringEntryProto.$Properties[] =>
  [...map].map(([key, value]) => ({ key, value }));

export const encodeNotes = (source: { docString?: string; metadata?: ReadonlyMap<string, string> }): Notes => ({
  ...(source.docString ? { docString: encoder.encode(source.docString) } : {}),
  ...(source.metadata?.size ? { metadataProps: encodeMap(source.metadata) } : {}),
});

export const encodeText = (text: string): Uint8Array => encoder.encode(text);

export const encodeOpsets = (opsets: ReadonlyMap<string, number>): onnx.OperatorSetIdProto.$Properties[] =>
  [...opsets].map(([domain, version]) => ({ domain, version: fromBigInt(BigInt(version), 'opset_import') }));
