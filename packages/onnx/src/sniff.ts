/** A format that files named `.onnx` turn out to be. */
interface LookAlike {
  readonly name: string;
  readonly matches: (head: Uint8Array, text: string) => boolean;
}

const startsWith =
  (...magic: number[]) =>
  (head: Uint8Array): boolean =>
    magic.every((byte, i) => head[i] === byte);

/** Eight bytes of little-endian length, then a JSON header. */
const isSafetensors = (head: Uint8Array, text: string): boolean =>
  startsWith(0, 0, 0, 0)(head.subarray(4)) && /^\{\s*("|\})/.test(text.slice(8));

/** A small offset, then the file identifier. An ONNX file may have the same text there, as a producer's name, but not the offset. */
const flatbuffer =
  (identifier: string) =>
  (head: Uint8Array, text: string): boolean =>
    head[2] === 0 && head[3] === 0 && text.slice(4, 8) === identifier;

/** None of these can open an ONNX file: each begins with an impossible tag or breaks the wire format within a few bytes. */
const LOOK_ALIKES: readonly LookAlike[] = [
  {
    name: 'an HTML page, perhaps an error page that was saved under this name',
    matches: (_, text) => /^\s*<(!doctype|html|head|body|\?xml)/i.test(text),
  },
  {
    name: 'a Git LFS pointer; fetch the file itself with "git lfs pull"',
    matches: (_, text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    name: 'a zip archive (a PyTorch checkpoint is one too)',
    matches: (head) => startsWith(0x50, 0x4b, 3, 4)(head) || startsWith(0x50, 0x4b, 5, 6)(head),
  },
  { name: 'a GGUF model', matches: (_, text) => text.startsWith('GGUF') },
  { name: 'a safetensors file', matches: isSafetensors },
  { name: 'a gzip file; unpack it first', matches: startsWith(0x1f, 0x8b, 8) },
  {
    name: 'a Python pickle (an old PyTorch checkpoint)',
    matches: (head) => head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5 && (head[2] === 0x8a || head[2] === 0x95),
  },
  { name: 'an HDF5 file (a Keras model)', matches: startsWith(0x89, 0x48, 0x44, 0x46) },
  { name: 'a TensorFlow Lite model', matches: flatbuffer('TFL3') },
  { name: 'an ONNX Runtime (.ort) model', matches: flatbuffer('ORTM') },
  { name: 'a JSON text', matches: (_, text) => /^\s*[{[]\s*["{[\]}]/.test(text) },
];

const HEAD_BYTES = 512;

/** What the bytes look like if they are certainly no ONNX file, else undefined. */
export function lookAlike(bytes: Uint8Array): string | undefined {
  const head = bytes.subarray(0, HEAD_BYTES);
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  return LOOK_ALIKES.find((format) => format.matches(head, text))?.name;
}
