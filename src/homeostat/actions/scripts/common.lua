-- What our own scripts share; it stands before each of them. `obj` is the object, `actionParams` what was given with the action.

-- The value at a path of obj, nil where there is none: at("spec", "template", "metadata").
local function at(...)
  local value = obj
  for _, name in ipairs({...}) do
    if type(value) ~= "table" then
      return nil
    end
    value = value[name]
  end
  return value
end

local function now()
  return os.date("!%Y-%m-%dT%H:%M:%SZ")
end

local function annotation(name)
  return at("metadata", "annotations", name)
end

-- Sets an annotation of obj, or of a template in it; nil takes it away.
local function annotate(target, name, value)
  target.metadata = target.metadata or {}
  target.metadata.annotations = target.metadata.annotations or {}
  target.metadata.annotations[name] = value
end

-- An entry of a discovery. It is disabled where there is a refusal, which says why.
local function action(icon, title, refusal, params)
  return {
    iconClass = "fa fa-fw fa-" .. icon,
    displayName = title,
    disabled = refusal and true or false,
    reason = refusal or nil,
    params = params,
  }
end

-- Two entries of which one is disabled: to stop something, and to go on with it.
local function pausing(paused, stop, go)
  return action("pause", stop, paused and "it is paused already"), action("play", go, not paused and "it is not paused")
end

-- Makes one object, owned by obj. Its name ends in the time, so that each is another; a name of 52 characters still fits.
local function create(apiVersion, kind, metadata, spec, controller)
  metadata.name = obj.metadata.name .. "-" .. os.time()
  metadata.namespace = metadata.namespace or obj.metadata.namespace
  metadata.ownerReferences = {{
    apiVersion = obj.apiVersion,
    kind = obj.kind,
    name = obj.metadata.name,
    uid = obj.metadata.uid,
    controller = controller,
    blockOwnerDeletion = controller,
  }}
  return {{operation = "create", resource = {apiVersion = apiVersion, kind = kind, metadata = metadata, spec = spec}}}
end

-- The parameter as a number of replicas.
local function replicas()
  local count = tonumber(actionParams.replicas)
  if not count or count < 0 or count % 1 ~= 0 then
    error("replicas: expected a whole number of 0 or more, found " .. tostring(actionParams.replicas), 0)
  end
  return count
end
