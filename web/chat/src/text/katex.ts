// Loaded with the first formula.
//
// KaTeX draws by the style object of elements, which our policy allows, but writes a style attribute
// into the MathML beside the picture (`\fcolorbox`, `\pmb`) and around what it cannot read, which
// the policy refuses. So the tree is asked for before it becomes elements, and those are taken out.

import "katex/dist/katex.min.css";
import katex from "katex";

const OPTIONS = {
  throwOnError: false,
  errorColor: "currentColor",
  trust: false,
  strict: "ignore",
  maxSize: 20,
  maxExpand: 200,
} as const;

interface Node {
  attributes?: Record<string, string>;
  children?: Node[];
  toNode(): globalThis.Node;
}

/** A formula as elements. */
export function drawn(tex: string, displayMode: boolean): globalThis.Node {
  const tree = (katex as unknown as { __renderToDomTree(tex: string, options: object): Node })
    .__renderToDomTree(tex, { ...OPTIONS, displayMode });
  unstyled(tree);
  return tree.toNode();
}

function unstyled(node: Node): void {
  if (node.attributes) delete node.attributes["style"];
  node.children?.forEach(unstyled);
}
