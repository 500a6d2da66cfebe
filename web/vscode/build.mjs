// The extension and the script of its panel, each as one file, and the licences that go with them.

import { copyFileSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, minify: true, legalComments: "inline", logLevel: "warning" };

await Promise.all([
  build({
    ...common,
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.cjs",
    platform: "node",
    format: "cjs",
    target: "node20",
    // The editor itself gives this module.
    external: ["vscode"],
  }),
  build({
    ...common,
    entryPoints: ["webview/panel.ts"],
    outfile: "dist/panel.js",
    platform: "browser",
    format: "iife",
    target: "chrome122",
  }),
]);
copyFileSync("../../LICENSE", "LICENSE");
copyFileSync("node_modules/eventsource-parser/LICENSE", "dist/eventsource-parser.LICENSE");
