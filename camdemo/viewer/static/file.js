// The viewer in a file of its own, or in a notebook: SCENE stands before, and nobody is asked.

mountViewer(document.getElementById("viewer"), { tested: Object.keys(SCENE.tested).length > 0 }).show(SCENE);
