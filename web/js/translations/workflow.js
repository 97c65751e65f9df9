/** The texts of a workflow in another language. No page is needed: tests run this alone. */

const OURS = "AppearanceTransfer_";
const NOTE = "MarkdownNote";
const NUMBERED = /^(\d+\. )?(.*)$/s; // "3. Transfer"
const FILE = /^- (\[.+\]\(.+\)) into (`.+`)$/; // where a model file belongs

/** Translate a workflow, in place, and the subgraphs in it. Nothing is done without nodes of ours. */
export function translated(workflow, words) {
  const sheets = [workflow, ...(workflow?.definitions?.subgraphs ?? [])];
  const nodes = sheets.flatMap((sheet) => sheet?.nodes ?? []);
  if (!nodes.some(({ type }) => String(type).startsWith(OURS))) return;
  for (const group of sheets.flatMap((sheet) => sheet.groups ?? [])) group.title = groupTitle(group.title, words);
  for (const node of nodes) {
    if (node.title in words.titles) node.title = words.titles[node.title];
    if (node.type === NOTE && node.widgets_values?.length) node.widgets_values[0] = note(node.widgets_values[0], words);
  }
}

function groupTitle(title, { groups }) {
  const [, number = "", name] = NUMBERED.exec(title ?? "");
  return name in groups ? `${number}${groups[name]}` : title;
}

function note(text, words) {
  return String(text)
    .split("\n")
    .map((line) => words.notes[line] ?? line.replace(FILE, words.file))
    .join("\n");
}
