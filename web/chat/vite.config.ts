import { readFileSync, writeFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// In a browser this package decodes `&amp;` through innerHTML, which Trusted Types forbid.
const entities = fileURLToPath(
  new URL("node_modules/decode-named-character-reference/index.js", import.meta.url),
);

/** Every browser that knows our page knows WOFF2: KaTeX's other fonts stay at home. */
const fonts: Plugin = {
  name: "only-woff2",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("katex") || !id.includes(".css")) return null;
    return code.replaceAll(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, "");
  },
};

const dist = fileURLToPath(new URL("dist", import.meta.url));

/** Packed once here rather than at every request. */
const packed: Plugin = {
  name: "packed",
  apply: "build",
  closeBundle() {
    for (const name of readdirSync(join(dist, "assets"))) {
      if (!/\.(?:js|css)$/.test(name)) continue;
      const path = join(dist, "assets", name);
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
    }
  },
};

export default defineConfig({
  root: fileURLToPath(new URL("src", import.meta.url)),
  publicDir: "../public",
  base: "/chat/",
  plugins: [react(), fonts, packed],
  resolve: { alias: { "decode-named-character-reference": entities } },
  build: {
    outDir: dist,
    emptyOutDir: true,
    target: "es2022",
    // An image or font written into the style sheet as data: is one more thing to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
  // `npm run dev` shows the page as it is written, over `docent serve` on its usual port.
  server: {
    proxy: Object.fromEntries(
      ["/api", "/auth", "/openapi.json"].map((path) => [path, "http://127.0.0.1:8000"]),
    ),
  },
  test: {
    root: fileURLToPath(new URL(".", import.meta.url)),
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
    isolate: false,
  },
});
