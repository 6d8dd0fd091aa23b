// Everything is served below this path, also behind a proxy that adds a prefix.
export const base = new URL(import.meta.url).pathname.split("/_nicegui/")[0];
