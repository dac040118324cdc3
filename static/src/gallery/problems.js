// What is said of labels that could not be saved, and the ways out that are offered.

/**
 * Say which of `labelling`'s labels were not saved, or take that back; changes that the editor left in other images are
 * said once each, and `open(image)` leads there.
 */
export function showProblems(labelling, notices, open) {
  for (const image of labelling.elsewhere) {
    notices.show(
      `elsewhere-${image}`,
      `Field ${image} has changes that could not be saved.`,
      "Open it to choose what becomes of them.",
      [["Open it", () => open(image)], ["Later"]],
    );
  }
  labelling.elsewhere.clear();
  const problems = [...labelling.problems.values()].map(({ problem }) => problem);
  if (!problems.length) {
    notices.remove("problems");
    return;
  }
  const one = problems.length === 1;
  const overtaken = problems.every(({ kind }) => kind === "conflict");
  notices.show(
    "problems",
    `${one ? "Your label of 1 cell was" : `Your labels of ${problems.length} cells were`} not saved.`,
    overtaken
      ? `Somebody else changed ${one ? "it" : "them"} meanwhile. ${one ? "It shows" : "They show"} what holds now.`
      : problems.find(({ kind }) => kind === "refused").reason,
    [
      ["Set my labels again", () => labelling.again()],
      ["Leave as they are", () => labelling.leave()],
    ],
  );
}

/** What stands between the page and the server; nothing where they speak again. */
export function showTrouble(notices, trouble) {
  if (trouble)
    notices.show("cells", "The server does not answer.", `It is asked again and again: ${trouble}.`, [["Understood"]]);
  else notices.remove("cells");
}
