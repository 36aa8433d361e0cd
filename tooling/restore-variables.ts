// Runs before each test file: the variables that a file before it in the same process has set are as they were.
const shared = globalThis as { variables?: Readonly<NodeJS.ProcessEnv> };
shared.variables ??= { ...process.env };
for (const name of Object.keys(process.env)) if (!(name in shared.variables)) delete process.env[name];
Object.assign(process.env, shared.variables);
