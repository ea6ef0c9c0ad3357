import { defineConfig, globalIgnores } from 'eslint/config'
import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import vueA11y from 'eslint-plugin-vuejs-accessibility'
import tseslint from 'typescript-eslint'
import { boundariesRule } from './scripts/lib/boundaries.ts'

export default defineConfig(
  globalIgnores(['dist', 'release', 'shots', 'coverage', 'test-results', 'playwright-report', 'docs', 'resources']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  tseslint.configs.strictTypeChecked,
  vue.configs['flat/recommended'],
  vueA11y.configs['flat/recommended'],
  {
    languageOptions: {
      parserOptions: {
        parser: tseslint.parser,
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    plugins: { local: { rules: { boundaries: boundariesRule } } },
    rules: {
      'local/boundaries': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
      'prefer-const': 'error',
      'object-shorthand': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `Promise<void>` handlers are what every event emitter of Node and every route of Express is given.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      // The types of an index access or of a parsed answer are true only if the data is.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ExportDefaultDeclaration',
          message: 'Named exports only.',
        },
      ],
    },
  },
  {
    files: ['**/*.vue'],
    rules: {
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/define-props-declaration': ['error', 'type-based'],
      'vue/define-emits-declaration': ['error', 'type-based'],
      'vue/no-static-inline-styles': 'error',
      'vue/no-v-html': 'error',
      // Field ties a control to its label through a slot, where the rule cannot look; axe checks the result on each page.
      'vuejs-accessibility/form-control-has-label': 'off',
      'vue/multi-word-component-names': 'off',
      'vue/require-default-prop': 'off',
      // A label around its control or one that names it by id: either is fine.
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
    },
  },
  {
    // Programs for a terminal, and the configuration of tools that read a default export.
    files: ['scripts/**', 'test/**', '*.config.{ts,js}', '**/*.d.ts'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': 'off' },
  },
  {
    // Served as it is, so no project of TypeScript has it.
    files: ['renderer/public/**'],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    files: ['test/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  prettier,
)
