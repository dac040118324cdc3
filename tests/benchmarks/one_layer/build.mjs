// Bundles the page's script: node build.mjs TARGET
import { build } from "esbuild";

await build({
  entryPoints: [new URL("main.js", import.meta.url).pathname],
  outfile: process.argv[2],
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
