// Colours for code: the few languages that a physics collaboration writes.

import { toJsxRuntime } from "hast-util-to-jsx-runtime";
import bash from "highlight.js/lib/languages/bash";
import cmake from "highlight.js/lib/languages/cmake";
import cpp from "highlight.js/lib/languages/cpp";
import fortran from "highlight.js/lib/languages/fortran";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import type { ReactNode } from "react";
import { Fragment, jsx, jsxs } from "react/jsx-runtime";

const lowlight = createLowlight({ bash, cmake, cpp, fortran, ini, java, json, python, sql, xml, yaml });
lowlight.registerAlias({ bash: ["sh", "shell", "console", "zsh"], cpp: ["c", "c++", "cxx", "root"], python: ["py"], yaml: ["yml"], ini: ["toml", "cfg"] });

/** The code as coloured elements; a language that is unknown is guessed. */
export function highlighted(text: string, language: string): ReactNode {
  const tree = lowlight.registered(language) ? lowlight.highlight(language, text) : lowlight.highlightAuto(text);
  return toJsxRuntime(tree, { Fragment, jsx, jsxs });
}
