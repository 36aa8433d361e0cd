/** How large packages may be, unpacked, in bytes. What is not listed may have {@link OTHERS}. */
export const UNPACKED: Readonly<Record<string, number>> = {
  core: 100e3,
  onnx: 1e6,
  ir: 1e6,
  'demo-model': 50e6,
  'kernels-linux-x64-gnu': 8e6,
};
export const OTHERS = 600e3;

/** What `npm install @neural-engine/engine` puts on one platform's disk, kernels and packages of others included. */
export const INSTALLED_ENGINE = 15e6;

/** What a tarball may hold, by kind of package. */
export const CONTENT = {
  library: /^(dist\/[\w.-]+\.(c?js|d\.c?ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  platform: /^(neural-engine\.[\w-]+\.node|package\.json|README\.md|LICENSE|THIRD-PARTY\.md|CHANGELOG\.md)$/,
  command: /^((bin|dist)\/[\w.-]+\.js|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
} as const;

/** What single packages may hold besides. */
export const EXTRA: Readonly<Record<string, RegExp>> = {
  'demo-model': /^(files\/(LICENSE|NOTICE|model\.onnx|vocab\.txt|[a-z_]+\.json)|samples\/[a-z]+\.json)$/,
};
