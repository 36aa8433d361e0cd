import { SCHEMA } from '../generated/schema';

/** How the elements of a field lie in the file. */
export type WireKind = 'varint' | 'fixed32' | 'fixed64' | 'string' | 'bytes' | 'message';

/** One field as the pre-scan needs it. */
export interface FieldLayout {
  /** `NodeProto.op_type`, for messages. */
  readonly path: string;
  readonly kind: WireKind;
  readonly repeated: boolean;
  /** The layout of the nested message; undefined for other kinds. */
  readonly message: MessageLayout | undefined;
}

/** One message type: its fields by number. */
export interface MessageLayout {
  readonly name: string;
  readonly fields: (FieldLayout | undefined)[];
}

const layouts = new Map<string, MessageLayout>(Object.keys(SCHEMA).map((name) => [name, { name, fields: [] }]));
for (const [name, layout] of layouts) {
  for (const [number, field, kind, repeated] of SCHEMA[name]!) {
    const message = layouts.get(kind);
    layout.fields[number] = { path: `${name}.${field}`, kind: message === undefined ? (kind as WireKind) : 'message', repeated, message };
  }
}

/** The layout of a top-level message. */
export const layoutOf = (name: 'ModelProto' | 'TensorProto'): MessageLayout => layouts.get(name)!;
