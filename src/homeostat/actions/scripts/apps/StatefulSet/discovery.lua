return {
  restart = action("redo", "Restart"),
  scale = action("plus-circle", "Scale", nil, {{name = "replicas"}}),
}
