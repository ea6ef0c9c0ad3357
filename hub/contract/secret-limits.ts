export const MAX_SECRET_NAME = 128
export const MAX_SECRET_LENGTH = 32_768
