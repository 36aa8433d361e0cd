import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => vi.resetModules());

async function withKernelsOf(ABI: number) {
  vi.doMock('@neural-engine/kernels', () => ({ ABI }));
  return (await import('./kernels')).kernels;
}

it.each([0, 2])('refuses kernels of ABI %i with both versions and the command that mends it', async (abi) => {
  const kernels = await withKernelsOf(abi);
  for (let again = 0; again < 2; again++) {
    expect(kernels).toThrow(
      expect.objectContaining({
        code: 'E_ISA',
        message: expect.stringMatching(
          new RegExp(
            `^@neural-engine/runtime \\d.* writes programs of ABI 4, @neural-engine/kernels \\d.* runs those of ABI ${abi}; run "npm install`,
          ),
        ),
      }),
    );
  }
});

it('hands out kernels of its own ABI', async () => {
  const kernels = await withKernelsOf(4);
  expect(kernels().ABI).toBe(4);
});
