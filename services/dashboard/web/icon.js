// Small line icons, drawn for a 16 x 16 grid; they say in shape what the tone says in colour.

const PATHS = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  record: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM8 7a1 1 0 1 0 0 2 1 1 0 0 0 0-2z",
  broken: "M3 2.5h7l3 3v8H3zM5.5 8l2 2-2 2M10.5 8l-2 2 2 2",
  clock: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 5v3.2l2.2 1.4",
  signal: "M3 12.5v-2M6.3 12.5v-4.5M9.7 12.5v-7M13 12.5v-9.5",
  nosignal: "M2.5 2.5l11 11M3 12.5v-2M6.3 12.5v-4.5M9.7 12.5v-3M13 12.5v-9.5",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  dash: "M4 8h8",
  bell: "M8 2a3.8 3.8 0 0 0-3.8 3.8c0 3.4-1.4 4.7-1.4 4.7h10.4s-1.4-1.3-1.4-4.7A3.8 3.8 0 0 0 8 2zM6.7 13a1.4 1.4 0 0 0 2.6 0",
  sun: "M8 5.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6z",
  auto: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 2.2v11.6M8 5.5h4.8M8 8h5.8M8 10.5h4.8",
  grid: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  code: "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5",
  back: "M9.5 3.5 5 8l4.5 4.5",
  camera: "M2 5h3l1.2-1.7h3.6L11 5h3v7.5H2zM8 6.5a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
};

export const Icon = {
  props: { name: { type: String, required: true } },
  computed: { path: ({ name }) => PATHS[name] ?? PATHS.dash },
  template: `<svg class="lp-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path :d="path" /></svg>`,
};
