import type { Test } from 'tap'
import type { BuildError, BuildOptions, BuildResult } from '../../src/engine/build-types.js'
import type { InternalOptions } from '../../src/engine/engine.js'
import type { EngineOptions } from '../../src/index.js'
import { finish, type TestEngine, testEngine } from './engine.js'

export interface TestBuilder extends TestEngine {
  build(dockerfile: string, options?: BuildOptions): Promise<BuildResult & { log: string; imageId: string }>
  /** The error of a build that must fail. */
  failure(dockerfile: string, options?: BuildOptions): Promise<BuildError>
  /** Output of a command in an image. */
  output(image: string, ...command: string[]): Promise<string>
}

/** An engine whose image `base` is busybox. */
export async function testBuilder(t: Test, options: InternalOptions & EngineOptions = {}): Promise<TestBuilder> {
  const test = await testEngine(t, options)
  const { engine, image } = test
  await engine.tag(image, 'base')
  const build: TestBuilder['build'] = async (dockerfileText, options = {}) => {
    let log = ''
    const onProgress: BuildOptions['onProgress'] = (event) => {
      if (event.type === 'output') log += event.data.toString()
      else if (event.type === 'start') log += `> ${event.name}\n`
      else if (event.type === 'cached') log += '> CACHED\n'
    }
    const result = await engine.build({ dockerfileText, onProgress, ...options })
    return { ...result, log, imageId: result.imageId! }
  }
  return {
    ...test,
    build,
    failure: async (text, options) => {
      try {
        await build(text, options)
      } catch (error) {
        return error as BuildError
      }
      throw new Error(`was built: ${text}`)
    },
    output: async (name, ...command) => {
      const { stdout, stderr } = await finish(await engine.run(name, command))
      return stdout + stderr
    },
  }
}
