// Loaded with the first formula.

import "katex/dist/katex.min.css";
import katex from "katex";

export { katex };
