/** Chat templates for checkpoints without one: what the families' own give for text and images. */

const turns = `{{ '<|im_start|>' + message.role + '\\n' }}
{%- for part in message.content -%}
{{ '<|vision_start|><|image_pad|><|vision_end|>' if part.type == 'image' else part.text }}
{%- endfor -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\\n' if add_generation_prompt else '' }}`;

/** Nothing stands before the first message. */
export const plainTemplate = `{%- for message in messages -%}
${turns}`;

/** A conversation that begins without a system message is given one. */
export const assistantTemplate = `{%- for message in messages -%}
{%- if loop.first and message.role != 'system' -%}
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif -%}
${turns}`;
