// The tools of the toolbar by their names in keys.js, and the commands that come with them.
import { AboveScore } from "./above-score.js";
import { BrushTool } from "./brush.js";
import { Clipboard } from "./clipboard.js";
import { PolygonTool } from "./polygon.js";
import { RegionTool } from "./region.js";
import { merge, selectNear, shareEdges, simplify, smooth } from "./repairs.js";
import { ReshapeTool } from "./reshape.js";
import { SelectTool } from "./select.js";
import { CircleTool, EllipseTool, PointTool, RectangleTool } from "./shapes.js";
import { SplitTool } from "./split.js";
import { Toolbar } from "./toolbar.js";

const TOOLS = [
  SelectTool,
  PolygonTool,
  EllipseTool,
  CircleTool,
  RectangleTool,
  PointTool,
  ReshapeTool,
  BrushTool,
  SplitTool,
  RegionTool,
];

export function toolsOf(editor) {
  return Object.fromEntries(TOOLS.map((Tool) => new Tool(editor)).map((tool) => [tool.name, tool]));
}

/**
 * What belongs to the tools and stays with the page: {commands: name in keys.js to function(event),
 * show(): another image, refresh(): what has something to do may be otherwise}.
 */
export function toolBox(editor) {
  const clipboard = new Clipboard(editor);
  const aboveScore = new AboveScore(editor);
  const toolbar = new Toolbar(editor);
  const { brush } = editor.tools;
  return {
    commands: {
      copy: () => clipboard.copy(),
      paste: () => clipboard.paste(),
      merge: () => merge(editor),
      "share-edges": () => shareEdges(editor),
      simplify: () => simplify(editor),
      smooth: () => smooth(editor),
      "select-near": () => selectNear(editor),
      "accept-above": () => aboveScore.open(),
      "brush-smaller": () => brush.resize(-1),
      "brush-larger": () => brush.resize(1),
      snap: () => {
        const on = editor.snapping.toggle();
        toolbar.showSnap();
        editor.say(on ? "Vertices snap to neighbours. Alt lets go." : "Vertices snap only while Alt is held.");
      },
    },
    show() {
      aboveScore.show();
    },
    refresh() {
      toolbar.refresh();
    },
  };
}
