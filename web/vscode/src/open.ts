// A citation, opened: the very file and line where the source is in a folder that is open, else the
// page in the browser.

import * as vscode from "vscode";
import type { Citation } from "./answer";
import { openable } from "./comment";
import { folders, read } from "./context";
import { find, heading } from "./find";
import { candidates } from "./where";

const MOST_FILES = 5;
const ELSEWHERE = "**/{node_modules,.venv,.git}/**";
const META = /[*?{}[\]!]/;

/** Open where a citation is from. `base`: the server, which shows pages that have no address. */
export async function open(citation: Citation, base: string): Promise<void> {
  const here = await inWorkspace(citation);
  if (here) {
    await show(here.uri, here.at);
    if (!here.exact) void vscode.window.showInformationMessage("This file has changed since Docent read it: the quote does not stand there any more.");
    return;
  }
  const page = openable(citation.url)
    ? citation.url
    : `${base}/documents/${citation.document_id.split("/").map(encodeURIComponent).join("/")}?start=${citation.start}&end=${citation.end}`;
  await vscode.env.openExternal(vscode.Uri.parse(page, true));
}

interface Here {
  uri: vscode.Uri;
  at: vscode.Range;
  exact: boolean;
}

async function inWorkspace(citation: Citation): Promise<Here | null> {
  const open = await folders();
  let named: Here | null = null;
  for (const { root, path, sure } of candidates(citation, open)) {
    const roots = open.filter((folder) => root === null || folder.root === root).map((folder) => folder.uri);
    for (const uri of await files(roots, path, sure)) {
      const text = await read(uri);
      const found = text === null ? null : find(text, citation.quote);
      if (found) {
        return { uri, at: new vscode.Range(found.line, found.column, found.endLine, found.endColumn), exact: true };
      }
      if (text !== null && sure) named ??= { uri, at: lineAt(text, citation), exact: false };
    }
  }
  return named;
}

function lineAt(text: string, citation: Citation): vscode.Range {
  const line = heading(text, citation.section.at(-1) ?? "") ?? 0;
  return new vscode.Range(line, 0, line, 0);
}

async function files(roots: readonly vscode.Uri[], path: string, sure: boolean): Promise<vscode.Uri[]> {
  const direct = roots.map((root) => vscode.Uri.joinPath(root, path));
  if (sure || META.test(path)) return direct;
  const found = await vscode.workspace.findFiles(`**/${path}`, ELSEWHERE, MOST_FILES);
  return [...new Map([...direct, ...found].map((uri) => [uri.toString(), uri])).values()];
}

async function show(uri: vscode.Uri, at: vscode.Range): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  const editor = await vscode.window.showTextDocument(document, { selection: at, preview: true });
  editor.revealRange(at, vscode.TextEditorRevealType.InCenter);
}
