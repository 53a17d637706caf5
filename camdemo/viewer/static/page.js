// The viewer in the page: what it asks goes to the server (camdemo/ui/viewer.py). Gradio runs this with
// the element, its properties, the server's functions, and a way to tell and to be told of changes.

const NO_ANSWER = { error: "The server does not answer. Is it still running?" };
const ask = async (name, question) => {
  try {
    return (await server[name](question)) ?? NO_ANSWER; // of a request that failed Gradio gives nothing
  } catch {
    return NO_ANSWER;
  }
};
const viewer = mountViewer(element, {
  maps: (question) => ask("scene_maps", question),
  hide: (question) => ask("scene_hide", question),
  hideElsewhere: (question) => ask("scene_hide_elsewhere", question),
  look: (question) => ask("scene_look", question),
  reframe: (question) => ask("scene_reframe", question),
  changed: () => trigger("select"),
  page: (question) => ask("scene_page", question),
  labels: () => ask("scene_labels", {}),
  deck: DECK_SIZE ? { size: DECK_SIZE, scene: (place) => ask("scene_of_deck", { place }) } : null,
});
const shown = () => viewer.show(props.value ? JSON.parse(props.value) : null);
watch("value", shown);
if (props.value) shown();
