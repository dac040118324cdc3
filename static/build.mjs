// Bundles the browser's side: each static/src/NAME/main.js becomes static/dist/NAME.js, and what it imports of
// style sheets static/dist/NAME.css. The licences of bundled packages go to NAME.js.LEGAL.txt.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const entries = readdirSync(join(here, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(here, "src", entry.name, "main.js")))
  .map((entry) => ({ in: join(here, "src", entry.name, "main.js"), out: entry.name }));

await build({
  entryPoints: entries,
  outdir: join(here, "dist"),
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  loader: { ".svg": "dataurl", ".png": "dataurl" },
  logLevel: "warning",
});
