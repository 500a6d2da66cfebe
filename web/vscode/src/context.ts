// What the editor says about the lines that somebody asks about.

import * as vscode from "vscode";
import { type Context, remoteIn, repositoryOf } from "./question";
import type { Folder } from "./where";

const UP = 8;
const MOST_LINES = 20;

/** The chosen lines of a document, and where they are. */
export async function contextOf(document: vscode.TextDocument, range: vscode.Range): Promise<Context> {
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  return {
    code: document.getText(range),
    language: document.languageId,
    path: folder ? vscode.workspace.asRelativePath(document.uri) : (document.uri.path.split("/").pop() ?? ""),
    from: range.start.line + 1,
    to: range.end.line + 1,
    repository: folder ? (await repository(folder.uri)).repository : "",
  };
}

/** The whole lines of a range, but not many of them. */
export function linesOf(document: vscode.TextDocument, range: vscode.Range): vscode.Range {
  const last = Math.min(range.end.line, range.start.line + MOST_LINES - 1);
  return document.validateRange(new vscode.Range(range.start.line, 0, last, Number.MAX_SAFE_INTEGER));
}

/** The folders that are open, with their repositories. */
export async function folders(): Promise<(Folder & { uri: vscode.Uri })[]> {
  return Promise.all((vscode.workspace.workspaceFolders ?? []).map(async ({ uri }) => ({
    uri, root: uri.toString(), ...(await repository(uri)),
  })));
}

// Read from the file itself: an editor without Git has the same folders.
async function repository(folder: vscode.Uri): Promise<{ repository: string; within: string }> {
  let at = folder;
  for (let up = 0; up < UP; up += 1) {
    const config = await read(vscode.Uri.joinPath(at, ".git", "config"));
    if (config !== null) {
      const within = folder.path.slice(at.path.length).replace(/^\//, "");
      return { repository: repositoryOf(remoteIn(config)), within: within ? `${within}/` : "" };
    }
    const above = vscode.Uri.joinPath(at, "..");
    if (above.path === at.path) break;
    at = above;
  }
  return { repository: "", within: "" };
}

const LARGEST = 4 * 1024 * 1024;

/** The text of a file; null where there is none, or one too large to look into. */
export async function read(uri: vscode.Uri): Promise<string | null> {
  try {
    const { size, type } = await vscode.workspace.fs.stat(uri);
    if (!(type & vscode.FileType.File) || size > LARGEST) return null;
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch {
    return null;
  }
}
