# What node-gyp takes from Node's own headers otherwise: the build needs Node-API alone (see scripts/build-native.mjs).
{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Release': {'cflags': ['-O3']},
      'Debug': {'cflags': ['-O0', '-g']},
    },
    'cflags': ['-pthread', '-fPIC'],
    'ldflags': ['-pthread'],
  },
}
