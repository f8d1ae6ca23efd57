local suspended = at("spec", "suspend")
return {
  suspend = action("pause", "Suspend", suspended and "it is suspended already"),
  resume = action("play", "Resume", not suspended and "it is not suspended"),
}
